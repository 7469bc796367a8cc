/* The renderers over findings made by hand, against golden files. To write those anew:
 * CORESCAN_UPDATE_GOLDEN=1 make check TESTS=check_report
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_findings.h"
#include "fake_go.h"
#include "json_schema.h"
#include "report/dot.h"
#include "report/format.h"
#include "report/report.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const struct report_style usual = { .utf8 = true, .width = 80, .limit = -1 };

/* --- helpers */

static char *source_path(const char *name)
{
	char *path;
	const char *top = getenv("srcdir");
	ck_assert_int_gt(asprintf(&path, "%s/%s", top != NULL ? top : ".", name), 0);
	return path;
}

static char *text_of(const char *view, struct fake_findings *fake, const struct report_style *style)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	report_text(view_find(view), fake_findings_get(fake), style, out);
	fclose(out);
	return text;
}

static char *json_of(const char *view, struct fake_findings *fake, const struct report_style *style)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	ck_assert_ptr_null(report_json(view_find(view), fake_findings_get(fake), style, out));
	fclose(out);
	return text;
}

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");
	if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	if (file != NULL)
		fclose(file);
	return text;
}

static void compare_with_golden(const char *name, const char *text)
{
	char *path = source_path(name);
	if (getenv("CORESCAN_UPDATE_GOLDEN") != NULL) {
		FILE *file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		fputs(text, file);
		fclose(file);
	}
	char *golden = read_file(path);
	ck_assert_msg(strcmp(golden, text) == 0, "%s differs; this was printed:\n%s", name, text);
	free(golden);
	free(path);
}

static void golden_text(const char *view, const struct report_style *style, const char *file)
{
	struct fake_findings *fake = fake_findings_new();
	if (strstr(file, "retained") != NULL)
		fake_findings_retain(fake);
	char *text = text_of(view, fake, style);
	compare_with_golden(file, text);
	free(text);
	fake_findings_free(fake);
}

/* The document parsed and found valid by the schema; the caller owns it. */
static json_t *valid_json(const char *view, struct fake_findings *fake)
{
	char why[512], *path = source_path("share/corescan/report.schema.json");
	char *text = json_of(view, fake, &usual);
	json_error_t error;
	json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(schema != NULL, "%s: %s", path, error.text);
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(document != NULL, "%s: %s", error.text, text);
	ck_assert_msg(json_schema_valid(schema, document, why, sizeof why), "%s: %s", view, why);
	json_decref(schema);
	free(text);
	free(path);
	return document;
}

/* --- format */

START_TEST(counts_and_shares_are_short)
{
	char buffer[FORMAT_MAX];
	ck_assert_str_eq(format_count(999, buffer), "999");
	ck_assert_str_eq(format_count(84910, buffer), "84,910");
	ck_assert_str_eq(format_count(UINT64_MAX, buffer), "18,446,744,073,709,551,615");
	ck_assert_str_eq(format_share(0, 0, buffer), "0 %");
	ck_assert_str_eq(format_share(1, 1000000, buffer), "under 0.1 %");
	ck_assert_str_eq(format_share(7, 7, buffer), "100 %");
	ck_assert_str_eq(format_duration(999, buffer), "999 us");
	ck_assert_str_eq(format_duration(999700, buffer), "1.0 s");
}
END_TEST

static void check_printed(const char *string, bool utf8, const char *expected)
{
	char printed[FORMAT_CHARACTER_MAX], all[256] = "";
	unsigned width = 0;
	for (const char *at = string; *at != '\0';) {
		width += format_character(&at, utf8, printed);
		strcat(all, printed);
	}
	ck_assert_str_eq(all, expected);
	ck_assert_uint_eq(width, format_width(string, utf8));
}

START_TEST(nothing_in_a_string_drives_the_terminal)
{
	check_printed("a\033[31mb\n\x7f", true, "a\\x1b[31mb\\n\\x7f");
	check_printed("\xc2\x9b"
		      "31m",
		      true, "\\u{9b}31m");
	check_printed("ab\xe2\x80\xae"
		      "cd",
		      true, "ab\\u{202e}cd");
	check_printed("\xff\xc0\x80\xed\xa0\x80", true, "\\xff\\xc0\\x80\\xed\\xa0\\x80");
	check_printed("\xf4\x90\x80\x80", true, "\\xf4\\x90\\x80\\x80");
	check_printed("\xe2\x82", true, "\\xe2\\x82");
	check_printed("1250–1253 × größe", true, "1250–1253 × größe");
	check_printed("1250–1253 × größe", false, "1250-1253 x gr\\u{f6}\\u{df}e");
}
END_TEST

START_TEST(long_names_lose_what_stands_in_brackets)
{
	static const char *const names[][2] = {
		{ "main", "main" },
		{ "std::map<int, std::vector<int> >::find(int const&) const",
		  "std::map<…>::find(…) const" },
		{ "a::operator<(a const&)", "a::operator<(…)" },
		{ "a::operator<< <int>(a)", "a::operator<< <int>(…)" },
		{ "a::operator()(int)", "a::operator()(…)" },
		{ "(anonymous namespace)::run()", "(anonymous namespace)::run()" },
		{ "f<&g::operator->>(int)", "f<…>(…)" },
		{ "broken<int", "broken<int" },
		{ "Session (vtable)", "Session (vtable)" },
	};
	char buffer[256];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		format_short_name(names[i][0], buffer, sizeof buffer);
		ck_assert_str_eq(buffer, names[i][1]);
	}
	for (size_t size = 1; size < 40; size++) {
		ck_assert_uint_lt(format_short_name(names[1][0], buffer, size), size);
		ck_assert_uint_lt(strlen(buffer), size);
	}
}
END_TEST

/* --- text */

START_TEST(text_is_as_the_golden_files_have_it)
{
	const struct report_style ascii = { .width = 80, .limit = -1 };
	const struct report_style verbose = {
		.utf8 = true, .width = 80, .limit = -1, .verbose = 1
	};
	const struct report_style narrow = { .utf8 = true, .width = 60, .limit = 2, .color = true };
	golden_text("report", &usual, "tests/unit/golden/report.txt");
	golden_text("report", &ascii, "tests/unit/golden/report-ascii.txt");
	golden_text("report", &verbose, "tests/unit/golden/report-verbose.txt");
	golden_text("report", &narrow, "tests/unit/golden/report-narrow-color.txt");
	golden_text("threads", &usual, "tests/unit/golden/threads.txt");
	golden_text("waits", &usual, "tests/unit/golden/waits.txt");
	golden_text("locks", &usual, "tests/unit/golden/locks.txt");
	golden_text("locks", &verbose, "tests/unit/golden/locks-verbose.txt");
	golden_text("heap", &usual, "tests/unit/golden/heap.txt");
	golden_text("heap", &usual, "tests/unit/golden/heap-retained.txt");
	golden_text("leaks", &usual, "tests/unit/golden/leaks.txt");
	golden_text("explain", &usual, "tests/unit/golden/explain.txt");
	golden_text("explain", &ascii, "tests/unit/golden/explain-ascii.txt");
	golden_text("maps", &usual, "tests/unit/golden/maps.txt");
}
END_TEST

START_TEST(go_is_told_as_the_golden_files_have_it)
{
	static const struct {
		const char *view, *file;
		unsigned verbose;
	} of[] = {
		{ "report", "tests/unit/golden/go-report.txt", 0 },
		{ "goroutines", "tests/unit/golden/goroutines.txt", 0 },
		{ "goroutines", "tests/unit/golden/goroutines-verbose.txt", 1 },
	};
	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		struct report_style style = usual;
		style.verbose = of[i].verbose;
		struct fake_findings *fake = fake_findings_new();
		struct fake_go *go = fake_go_new(fake_findings_get(fake));
		char *text = text_of(of[i].view, fake, &style);
		compare_with_golden(of[i].file, text);
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			ck_assert_msg(format_width(line, true) <= 80, "too wide: %s", line);
		json_decref(valid_json(of[i].view, fake));
		free(text);
		fake_go_free(go);
		fake_findings_free(fake);
	}
}
END_TEST

START_TEST(the_graph_is_as_the_golden_file_has_it)
{
	struct fake_findings *fake = fake_findings_new();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	ck_assert_ptr_null(dot_graph(fake_findings_get(fake), out));
	fclose(out);
	compare_with_golden("tests/unit/golden/waits.dot", text);
	free(text);
	fake_findings_free(fake);
}
END_TEST

static void check_lines(const char *text, bool utf8, unsigned width)
{
	char line[4096];
	for (const char *at = text, *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		ck_assert_ptr_nonnull(end);
		ck_assert_uint_lt((size_t)(end - at), sizeof line);
		memcpy(line, at, (size_t)(end - at));
		line[end - at] = '\0';
		for (const char *byte = line; *byte != '\0'; byte++)
			ck_assert_msg((unsigned char)*byte >= ' ' && *byte != 0x7f &&
					  (utf8 || (signed char)*byte > 0),
				      "%s", line);
		ck_assert_msg(end == at || end[-1] != ' ', "a line ends in a space: %s", line);
		ck_assert_msg(width == 0 || format_width(line, utf8) <= width, "too long: %s",
			      line);
	}
}

#define LONG_PART "a_namespace_of_some_length::a_class_that_is_templated"
#define LONG_NAME LONG_PART "::" LONG_PART "::" LONG_PART "::" LONG_PART

START_TEST(every_line_fits_its_width)
{
	size_t count;
	const struct view *views = view_list(&count);
	struct fake_findings *fake = fake_findings_new();
	struct retained *retained = fake_findings_retain(fake);
	for (unsigned round = 0; round < 8; round++) {
		const unsigned width = 80 + round % 4 * 20;
		const struct report_style style = { .utf8 = true, .width = width, .limit = -1 };
		if (round == 4) { /* names as long as C++ has them */
			retained->roots.items[0].name = LONG_NAME "<int>::table";
			retained->roots.items[0].what = "class " LONG_NAME " (vtable)";
			retained->heads.items[0].holders[0] = LONG_NAME;
			retained->heads.items[1].holders[1] = "<a> of library.so.6.0";
			retained->heads.items[1].what = "text \"" LONG_NAME "\"";
		}
		for (size_t i = 0; i < count; i++) {
			if (views[i].stream != NULL)
				continue;
			char *text = text_of(views[i].name, fake, &style);
			check_lines(text, true, width);
			free(text);
		}
	}
	fake_findings_free(fake);
}
END_TEST

/* Names and texts as a hostile target would have them. */
static struct fake_findings *hostile_findings(void)
{
	static char bad[] = "\033]0;owned\a\r\n\x9b\xff\xe2\x80\xae …";
	struct fake_findings *fake = fake_findings_new();
	struct target *target = fake_findings_target(fake);
	struct thread *threads = fake_findings_threads(fake);
	struct findings *findings = fake_findings_get(fake);
	target->path = target->command = target->exe = bad;
	for (size_t i = 0; i < findings->waits->count; i++) {
		threads[i].name = threads[i].stop_reason = bad;
		threads[i].frames[0].function = threads[i].frames[0].file = bad;
		findings->waits->items[i].brief = findings->waits->items[i].text =
		    findings->waits->items[i].evidence = bad;
		findings->waits->items[i].object_name = findings->waits->items[i].fd_name = bad;
	}
	fake_findings_orphans(fake)->groups.items[0].what = bad;
	struct explanation *explanation = fake_findings_explanation(fake);
	explanation->text = explanation->chunk.what = explanation->path.items[1].text = bad;
	explanation->path.items[1].storage.name = explanation->path.items[1].content = bad;
	explanation->referrers.list.items[0].word.text = bad;
	struct retained *retained = fake_findings_retain(fake);
	retained->roots.items[0].name = retained->roots.items[0].what = bad;
	retained->roots.items[0].item.symbol = bad;
	retained->heads.items[0].holders[0] = retained->heads.items[0].what = bad;
	gaps_add(findings->subject->gaps, GAP_MODULE, 0, 0, "%s", bad);
	return fake;
}

START_TEST(hostile_names_are_shown_and_not_obeyed)
{
	size_t count;
	const struct view *views = view_list(&count);
	struct fake_findings *fake = hostile_findings();
	for (size_t i = 0; i < 2 * count; i++) {
		if (views[i / 2].stream != NULL)
			continue;
		const struct report_style style = { .utf8 = i % 2, .width = 80, .verbose = 1 };
		char *text = text_of(views[i / 2].name, fake, &style);
		check_lines(text, style.utf8, 0);
		if (views[i / 2].needs != 0)
			ck_assert_ptr_nonnull(strstr(text, "\\x1b]0;owned\\a\\r\\n\\x9b\\xff"));
		free(text);
	}
	fake_findings_free(fake);
}
END_TEST

START_TEST(nothing_in_a_string_ends_a_string_of_the_graph)
{
	struct fake_findings *fake = hostile_findings();
	static char quotes[] = "\"]; \\\" }\\";
	fake_findings_threads(fake)[1].name = quotes;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	ck_assert_ptr_null(dot_graph(fake_findings_get(fake), out));
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "\\\"]; \\\\\\\" }\\\\"));
	bool quoted = false;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '\\' && quoted)
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (*at == '\n')
			ck_assert_msg(!quoted, "a string does not end in its line: %s", text);
		else
			ck_assert((unsigned char)*at >= ' ' || *at == '\t');
	}
	free(text);
	fake_findings_free(fake);
}
END_TEST

static const char *after(const char *text, const char *what)
{
	const char *at = strstr(text, what);
	ck_assert_msg(at != NULL, "no \"%s\" in:\n%s", what, text);
	return at;
}

START_TEST(a_recursion_is_told_once)
{
	struct fake_findings *fake = fake_findings_new();
	struct thread *crashed = fake_findings_threads(fake);
	const struct frame *bottom = &crashed->frames[2];
	struct frame frames[256];
	for (size_t i = 0; i < 255; i++)
		frames[i] = crashed->frames[i % 2];
	frames[255] = *bottom;
	crashed->frames = frames;
	crashed->frame_count = 256;
	char *text = text_of("report", fake, &usual);
	after(after(after(text, "#1 handle"), "… the same frames 126 more times"), "#254 parse");
	after(text, "#255 worker");
	free(text);
	fake_findings_free(fake);
}
END_TEST

/* The frames behind a recursion have the room that their names need. */
START_TEST(what_began_a_recursion_is_told_by_its_whole_name)
{
	struct fake_findings *fake = fake_findings_new();
	struct thread *crashed = fake_findings_threads(fake);
	struct frame frames[200];
	for (size_t i = 0; i < 200; i++)
		frames[i] = crashed->frames[i % 12 % 2];
	for (size_t i = 0; i < 199; i++) {
		static const char *const names[] = { "a", "b", "c", "d", "e", "f",
						     "g", "h", "i", "j", "k", "l" };
		frames[i].function = names[i % 12];
	}
	frames[199].function = "the_outer_function_that_began_it";
	crashed->frames = frames;
	crashed->frame_count = 200;
	char *text = text_of("threads", fake, &usual);
	after(after(text, "… the same frames 15 more times"),
	      "#199 the_outer_function_that_began_it");
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(a_quotation_that_is_cut_is_closed)
{
	struct fake_findings *fake = fake_findings_new();
	struct orphan_group *group = &fake_findings_orphans(fake)->groups.items[0];
	group->what =
	    "text, e.g. \"a long text that says \\\"a word\\\" and still goes on and on\"";
	char *text = text_of("report", fake, &usual);
	ck_assert_ptr_nonnull(strstr(text, "…\", head 0x"));
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(the_largest_roots_are_never_left_out_silently)
{
	struct fake_findings *fake = fake_findings_new();
	char *text = text_of("report", fake, &usual);
	ck_assert_ptr_nonnull(strstr(text, "\n  largest roots: corescan heap --retained\n"));
	free(text);
	struct retained *retained = fake_findings_retain(fake);
	retained->roots.items[0].name = "<app::table::Table<alloc::string::String, u64>::INSTANCE>";
	text = text_of("report", fake, &usual);
	ck_assert_ptr_nonnull(strstr(text, "largest roots: <app::table::Table<…>::INSTANCE> 6.77"));
	free(text);
	retained->roots.count = 0;
	text = text_of("report", fake, &usual);
	ck_assert_ptr_nonnull(strstr(text, "largest roots: shared by several 1.95 MB, 977 kB of it "
					   "by <cache>"));
	free(text);
	retained->shared = (struct chunk_total){ 0 };
	text = text_of("report", fake, &usual);
	ck_assert_ptr_null(strstr(text, "largest roots"));
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(a_limit_cuts_and_says_so)
{
	const struct report_style two = { .utf8 = true, .width = 80, .limit = 2 };
	const struct report_style all = { .utf8 = true, .width = 80, .limit = 0 };
	struct fake_findings *fake = fake_findings_new();
	char *text = text_of("leaks", fake, &two);
	after(text, "… 6 more groups: --limit 0");
	free(text);
	fake_findings_retain(fake);
	text = text_of("heap", fake, &two);
	after(text, "1 more root: --limit 0");
	free(text);
	text = text_of("report", fake, &all);
	after(text, "head 0x5800a0");
	after(text,
	      "largest roots: <cache> 6.77 MB · thread 1240 \"worker-3\" parse_header() 391 kB\n");
	after(text, "shared by several 1.95 MB");
	ck_assert_ptr_null(strstr(text, " more groups"));
	free(text);
	fake_findings_free(fake);
}
END_TEST

/* Orphans that are in doubt are none: the same table under another heading. */
START_TEST(what_is_in_doubt_is_not_called_orphaned)
{
	struct fake_findings *fake = fake_findings_new();
	struct reachability *reachability = fake_findings_reachability(fake);
	strcpy(reachability->doubt, "4 kB of private memory at 0x7f0000001000");
	strcpy(reachability->caution, "a caution");
	reachability->totals[CHUNK_POSSIBLE].chunks += reachability->unheld.chunks;
	reachability->totals[CHUNK_POSSIBLE].bytes += reachability->unheld.bytes;
	reachability->totals[CHUNK_ORPHANED] = (struct chunk_total){ 0 };
	char *text = text_of("leaks", fake, &usual);
	after(after(text, "POSSIBLE  4,313 chunks, 412 kB · "),
	      "nothing that was read leads to them, but 4 kB of private memory at\n"
	      "  0x7f0000001000 could not be read and may hold pointers\n        bytes   chunks");
	ck_assert_ptr_null(strstr(text, "ORPHANED"));
	ck_assert_ptr_null(strstr(text, "a caution"));
	free(text);
	text = text_of("report", fake, &usual);
	after(after(text, "  possible       4,313 chunks"), "  possible          12 chunks");
	ck_assert_ptr_null(strstr(text, "orphaned"));
	free(text);
	json_t *document = valid_json("leaks", fake), *found;
	found = json_object_get(json_object_get(document, "orphans"), "chunks");
	ck_assert_int_eq(json_integer_value(found), 0);
	found = json_object_get(json_object_get(document, "possible_orphans"), "chunks");
	ck_assert_int_eq(json_integer_value(found), 4313);
	json_decref(document);
	reachability->doubt[0] = '\0';
	text = text_of("leaks", fake, &usual);
	after(after(text, "ORPHANED"), "\n  a caution\n");
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(a_live_process_is_said_to_run_on)
{
	struct fake_findings *fake = fake_findings_new();
	struct target *target = fake_findings_target(fake);
	struct findings *findings = fake_findings_get(fake);
	const struct crash none = { .text = "the process runs on" };
	target->kind = TARGET_LIVE;
	target->paused_us = 12345;
	findings->crash = &none;
	char *text = text_of("report", fake, &usual);
	after(text, "process 1234 · ");
	after(text, "was stopped for 12 ms");
	after(text, "NOT CRASHED  the process runs on");
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(a_process_without_a_signal_has_its_heading)
{
	static const struct {
		enum without_signal how;
		const char *heading;
	} rows[] = { { WITHOUT_SIGNAL_RUNS, "NOT CRASHED  so" },
		     { WITHOUT_SIGNAL_STOPPED, "STOPPED  so" },
		     { WITHOUT_SIGNAL_UNKNOWN, "NOT KNOWN  so" } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fake_findings *fake = fake_findings_new();
		const struct crash none = { .text = "so", .without_signal = rows[i].how };
		fake_findings_get(fake)->crash = &none;
		char *text = text_of("report", fake, &usual);
		after(text, rows[i].heading);
		free(text);
		fake_findings_free(fake);
	}
}
END_TEST

/* The sum of the numbers in "THREADS  1 crashed · 2 in a deadlock · …". */
static unsigned long sum_of_totals(const char *text)
{
	unsigned long sum = 0;
	const char *at = after(text, "THREADS") + strlen("THREADS");
	for (const char *end = strstr(at, "×"); at < end; at++)
		if (at[0] == '\n' && strncmp(at, "\n         ", 10) != 0)
			break;
		else if (at[-1] == ' ' && at[0] >= '0' && at[0] <= '9')
			sum += strtoul(at, NULL, 10);
	return sum;
}

START_TEST(each_thread_is_counted_once)
{
	for (unsigned killed = 0; killed < 9; killed++) {
		struct fake_findings *fake = fake_findings_new();
		const struct findings *findings = fake_findings_get(fake);
		char *text = text_of("report", fake, &usual);
		ck_assert_uint_eq(sum_of_totals(text), findings->waits->count);
		free(text);
		fake_findings_threads(fake)[killed].killed_from_outside = true;
		text = text_of("report", fake, &usual);
		ck_assert_msg(sum_of_totals(text) == findings->waits->count, "%s", text);
		free(text);
		fake_findings_free(fake);
	}
}
END_TEST

START_TEST(one_more_is_no_plural)
{
	const struct report_style style = { .utf8 = true, .width = 80, .limit = 1 };
	struct fake_findings *fake = fake_findings_new();
	char *text = text_of("report", fake, &style);
	after(text, "… 1 more thread of the cycle: ");
	free(text);
	fake_findings_free(fake);
}
END_TEST

/* The three idle threads, in two groups. */
static struct fake_findings *findings_with_two_idle_groups(void)
{
	struct fake_findings *fake = fake_findings_new();
	struct findings *findings = fake_findings_get(fake);
	static struct wait_group items[2];
	static const struct wait *members[3];
	static struct wait_groups groups;
	for (size_t i = 0; i < 3; i++)
		members[i] = &findings->waits->items[5 + i];
	items[0] = (struct wait_group){ .members = &members[1], .count = 2 };
	items[1] = (struct wait_group){ .members = &members[0], .count = 1 };
	groups = (struct wait_groups){ .items = items, .count = 2 };
	findings->wait_groups = &groups;
	return fake;
}

START_TEST(a_row_says_that_its_objects_differ)
{
	struct fake_findings *fake = findings_with_two_idle_groups();
	struct wait *waits = &fake_findings_get(fake)->waits->items[5];
	for (size_t i = 0; i < 3; i++) {
		waits[i].kind = WAIT_EPOLL;
		waits[i].object = 0;
		waits[i].fd = 7 + (int32_t)i;
	}
	waits[0].brief = waits[0].text = "waits for events of epoll fd 7 (epoll of fd 6)";
	waits[1].brief = waits[1].text = "waits for events of epoll fd 8 (epoll of fd 5)";
	waits[2].brief = waits[2].text = "waits for events of epoll fd 9";
	char *text = text_of("report", fake, &usual);
	after(text, "3 × \"pool\" (1241–1243) wait for events of 3 epolls, e.g. fd 7 (epoll of fd\n"
		    "          6)\n");
	ck_assert_ptr_null(strstr(text, "like it"));
	free(text);
	fake_findings_free(fake);
}
END_TEST

START_TEST(a_row_names_threads_whose_names_differ)
{
	struct fake_findings *fake = findings_with_two_idle_groups();
	struct wait *waits = &fake_findings_get(fake)->waits->items[5];
	fake_findings_threads(fake)[6].name = "lru";
	fake_findings_threads(fake)[7].name = "";
	char *text = text_of("report", fake, &usual);
	after(text, "3 × 1241 \"pool\", 1242 \"lru\", 1243 waits for condition variable");
	free(text);
	/* The object is one, what differs has no word: an example. */
	waits[1].brief = waits[1].text =
	    "waits for condition variable 0x4040e0 <pool.nonempty>, for at most 1 s";
	text = text_of("report", fake, &usual);
	after(text, "wait alike, e.g. 1241");
	free(text);
	fake_findings_free(fake);
}
END_TEST

/* A process that hangs with few stacks: they are shown whole. */
START_TEST(what_hangs_shows_its_stack_where_there_is_room)
{
	struct fake_findings *fake = fake_findings_new();
	struct findings *findings = fake_findings_get(fake);
	const struct crash none = { .text = "so" };
	const struct wait_group *all = findings->wait_groups->items;
	struct wait_group items[2] = { all[1], all[2] };
	const struct wait_groups groups = { .items = items, .count = 2 };
	findings->crash = &none;
	findings->deadlocks = NULL;
	findings->wait_groups = &groups;
	char *text = text_of("report", fake, &usual);
	after(text, "          refresh() cache.c:77\n          main() main.c:20\n");
	free(text);
	fake_findings_free(fake);
}
END_TEST

/* --- JSON */

START_TEST(json_is_as_the_golden_file_has_it)
{
	struct fake_findings *fake = fake_findings_new();
	json_t *document = valid_json("report", fake);
	json_object_set_new(document, "corescan", json_string("(version)"));
	char *text = json_dumps(document, JSON_INDENT(1));
	compare_with_golden("tests/unit/golden/report.json", text);
	free(text);
	json_decref(document);
	fake_findings_free(fake);
}
END_TEST

START_TEST(every_view_is_valid_by_the_schema)
{
	size_t count;
	const struct view *views = view_list(&count);
	struct fake_findings *ordinary = fake_findings_new(), *hostile = hostile_findings();
	for (size_t i = 0; i < count; i++) {
		if (views[i].stream != NULL)
			continue;
		json_decref(valid_json(views[i].name, ordinary));
		json_decref(valid_json(views[i].name, hostile));
	}
	fake_findings_free(ordinary);
	fake_findings_free(hostile);
}
END_TEST

START_TEST(the_schema_admits_no_more_than_that)
{
	char why[512], *path = source_path("share/corescan/report.schema.json");
	json_t *schema = json_load_file(path, 0, NULL);
	struct fake_findings *fake = fake_findings_new();
	json_t *document = valid_json("report", fake);
	json_t *thread = json_array_get(json_object_get(document, "threads"), 0);
	json_object_set_new(thread, "stack_start", json_integer(12));
	ck_assert(!json_schema_valid(schema, document, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "threads[0].stack_start"));
	json_object_set_new(thread, "stack_start", json_string("0x12"));
	ck_assert(json_schema_valid(schema, document, why, sizeof why));
	json_object_set_new(thread, "surplus", json_null());
	ck_assert(!json_schema_valid(schema, document, why, sizeof why));
	json_object_del(thread, "surplus");
	json_object_del(thread, "tid");
	ck_assert(!json_schema_valid(schema, document, why, sizeof why));
	json_decref(document);
	json_decref(schema);
	fake_findings_free(fake);
	free(path);
}
END_TEST

START_TEST(parts_that_are_not_there_are_left_out)
{
	size_t count;
	const struct view *views = view_list(&count);
	struct fake_findings *fake = fake_findings_new();
	struct findings *findings = fake_findings_get(fake);
	struct subject bare = { .target = fake_findings_target(fake),
				.gaps = findings->subject->gaps };
	*findings = (struct findings){ .subject = &bare, .exit_status = 1 };
	for (size_t i = 0; i < count; i++) {
		if (views[i].stream != NULL)
			continue;
		char *text = text_of(views[i].name, fake, &usual);
		after(text, "NOT EXAMINED");
		after(text, "exit status 1 (partial)");
		free(text);
		json_decref(valid_json(views[i].name, fake));
	}
	fake_findings_free(fake);
}
END_TEST

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	Suite *suite = suite_create("report");
	TCase *all = tcase_create("all");
	tcase_add_test(all, counts_and_shares_are_short);
	tcase_add_test(all, nothing_in_a_string_drives_the_terminal);
	tcase_add_test(all, long_names_lose_what_stands_in_brackets);
	tcase_add_test(all, text_is_as_the_golden_files_have_it);
	tcase_add_test(all, go_is_told_as_the_golden_files_have_it);
	tcase_add_test(all, the_graph_is_as_the_golden_file_has_it);
	tcase_add_test(all, nothing_in_a_string_ends_a_string_of_the_graph);
	tcase_add_test(all, every_line_fits_its_width);
	tcase_add_test(all, hostile_names_are_shown_and_not_obeyed);
	tcase_add_test(all, a_recursion_is_told_once);
	tcase_add_test(all, what_began_a_recursion_is_told_by_its_whole_name);
	tcase_add_test(all, a_quotation_that_is_cut_is_closed);
	tcase_add_test(all, the_largest_roots_are_never_left_out_silently);
	tcase_add_test(all, a_limit_cuts_and_says_so);
	tcase_add_test(all, what_is_in_doubt_is_not_called_orphaned);
	tcase_add_test(all, a_live_process_is_said_to_run_on);
	tcase_add_test(all, a_process_without_a_signal_has_its_heading);
	tcase_add_test(all, each_thread_is_counted_once);
	tcase_add_test(all, one_more_is_no_plural);
	tcase_add_test(all, what_hangs_shows_its_stack_where_there_is_room);
	tcase_add_test(all, a_row_says_that_its_objects_differ);
	tcase_add_test(all, a_row_names_threads_whose_names_differ);
	tcase_add_test(all, json_is_as_the_golden_file_has_it);
	tcase_add_test(all, every_view_is_valid_by_the_schema);
	tcase_add_test(all, the_schema_admits_no_more_than_that);
	tcase_add_test(all, parts_that_are_not_there_are_left_out);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
