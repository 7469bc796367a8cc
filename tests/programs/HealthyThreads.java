// Threads that take monitors and wait for each other all the time, and never deadlock.
//
// SPDX-License-Identifier: GPL-3.0-or-later
import java.util.concurrent.ArrayBlockingQueue;

class HealthyThreads {
	static final ArrayBlockingQueue<byte[]> jobs = new ArrayBlockingQueue<>(4);
	static final Object first = new Object(), second = new Object();

	static void produce() {
		for (;;) {
			try {
				jobs.put(new byte[1000]);
			} catch (InterruptedException ignored) {
				return;
			}
		}
	}

	static void consume() {
		for (;;) {
			try {
				jobs.take();
			} catch (InterruptedException ignored) {
				return;
			}
			synchronized (first) {
				synchronized (second) {
					first.hashCode();
				}
			}
		}
	}

	public static void main(String[] arguments) {
		for (int i = 0; i < 4; i++) {
			new Thread(i % 2 == 0 ? HealthyThreads::produce : HealthyThreads::consume).start();
		}
		System.out.println("{\"ready\":true}");
	}
}
