# Threads of Perl that pass jobs through queues and take locks, and never deadlock.
#
# SPDX-License-Identifier: GPL-3.0-or-later
use strict;
use warnings;
use threads;
use threads::shared;
use Thread::Queue;

my $jobs = Thread::Queue->new();
$jobs->limit = 4;
my $first : shared = 0;
my $second : shared = 0;

sub produce { $jobs->enqueue(1) while 1 }

sub consume {
	while (1) {
		$jobs->dequeue();
		lock($first);
		lock($second);
		$second = ++$first;
	}
}

threads->create($_) for (\&produce, \&consume, \&produce, \&consume);
$| = 1;
print "{\"ready\":true}\n";
sleep 1 while 1;
