/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdb/command_file.h"

#include "report/report.h"
#include "target/arch.h"

#include <string.h>

/* Words that a command takes, and characters of each in the template of them. */
enum { WORDS_MAX = 32, WORD_WIDTH = 7 };

/* gdb's words for the two 64-bit parts of each register in a row of arch->extended_registers. Of
 * the x87 registers it has none: "info registers" tells them. */
static const struct vector_words {
	const char *file, *name, *field;
	unsigned low, high;
} vector_words[] = {
	{ "xmm", "$xmm", "v2_int64", 0, 1 },
	{ "high half of ymm", "$ymm", "v4_int64", 2, 3 },
};

/* gdb asks before it defines a command a second time. */
#define DEFINE "with confirm off -- define "

/* A command of gdb's whose own output nobody wants: that the language is not the frame's, say. */
#define QUIET_BEGIN    "pipe -d @corescan@ -- "
#define QUIET_END      " @corescan@ cat >/dev/null"
#define QUIET(command) QUIET_BEGIN command QUIET_END

/* Convenience variables hold what is computed, in C whatever the program's language is. */
#define SET "with language c -- set var "

/* What is the same in every file. */
static const char common[] = DEFINE
    "_corescan_tell\n"
    "  echo @style\\n\n"
    "  show style enabled\n"
    "  echo @sysroot\\n\n"
    "  show sysroot\n"
    "  echo @inferiors\\n\n"
    "  info inferiors\n"
    "  echo @files\\n\n"
    "  info files\n"
    "  echo @threads\\n\n"
    "  thread apply all -s _corescan_thread\n"
    "  echo @end\\n\n"
    "end\n" DEFINE "_corescan_tell_address\n"
    "  echo @address\\n\n"
    "  with language c -- printf \"%#lx\\n\", $_corescan_address\n"
    "  _corescan_tell\n"
    "end\n"
    "# The words of a command, as many as there are, in $_corescan_given and "
    "$_corescan_lines.\n" DEFINE "_corescan_take\n"
    "  " SET "$_corescan_given = $_corescan_words\n"
    "  " SET "$_corescan_given[$_corescan_count * $_corescan_width] = 0\n"
    "  " SET "$_corescan_lines = $_corescan_word_lines\n"
    "  " SET "$_corescan_lines[$_corescan_count * ($_corescan_width + 1)] = 0\n"
    "end\n"
    "# Parts the words: those in front go to gdb, the others stay.\n" DEFINE "_corescan_part\n"
    "  " SET "$_corescan_expression = $_corescan_words\n"
    "  " SET "$_corescan_left = $_corescan_split * $_corescan_width\n"
    "  " SET "$_corescan_expression[$_corescan_left] = 0\n"
    "  while $_corescan_left\n"
    "    " SET "$_corescan_left = $_corescan_left - 1\n"
    "    " SET "$_corescan_given[$_corescan_left] = ' '\n"
    "  end\n"
    "end\n"
    "\n";

static const struct arch_register_file *extended_file(const struct arch *arch, const char *name,
						      size_t *index)
{
	for (size_t i = 0; i < arch->extended_register_count; i++) {
		if (strcmp(arch->extended_registers[i].name, name) == 0) {
			*index = i;
			return &arch->extended_registers[i];
		}
	}
	return NULL;
}

static void write_vector(const struct arch *arch, const struct vector_words *words, FILE *out)
{
	size_t index;
	const struct arch_register_file *file = extended_file(arch, words->file, &index);
	if (file == NULL)
		return;
	/* Not every processor has all of them. */
	fprintf(out, "  " SET "$_corescan_more = !$_isvoid(%s0)\n", words->name);
	fprintf(out, "  if $_corescan_more\n    with language c -- printf \"@extended %zu", index);
	for (unsigned i = 0; i < file->count; i++)
		fputs(" %lx %lx", out);
	fputs("\\n\"", out);
	for (unsigned i = 0; i < file->count; i++)
		fprintf(out, ", %s%u.%s[%u], %s%u.%s[%u]", words->name, i, words->field, words->low,
			words->name, i, words->field, words->high);
	fputs("\n  end\n", out);
}

/* Prints one thread's registers. The user may have selected an outer frame. The siginfo comes last:
 * a thread that has none ends its command there. */
static void write_thread(const struct arch *arch, FILE *out)
{
	fputs(DEFINE "_corescan_thread\n  select-frame 0\n  with language c -- printf \"@general",
	      out);
	for (size_t i = 0; i < arch->register_count; i++)
		fputs(" %lx", out);
	fputs("\\n\"", out);
	for (size_t i = 0; i < arch->register_count; i++)
		fprintf(out, ", $%s", arch->registers[i].name);
	fputs("\n", out);
	for (size_t i = 0; i < sizeof vector_words / sizeof *vector_words; i++)
		write_vector(arch, &vector_words[i], out);
	fputs("  info registers float\n"
	      "  with language c -- printf \"@signal %d %d %lx %d\\n\", $_siginfo.si_signo, "
	      "$_siginfo.si_code, $_siginfo._sifields._sigfault.si_addr, "
	      "$_siginfo._sifields._kill.si_pid\n"
	      "end\n",
	      out);
}

/* `text` within a string of gdb's, and there between the shell's single quotes. */
static void write_quoted(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\\\''", out);
		else
			fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
}

/* The templates of a command's words, beside each other and a line for each, whose end is put
 * behind the last one that there is. */
static void write_words(FILE *out)
{
	fputs("$_corescan_words = \"", out);
	for (int i = 0; i < WORDS_MAX; i++)
		fprintf(out, " $arg%02d", i);
	fputs("\", $_corescan_word_lines = \"", out);
	for (int i = 0; i < WORDS_MAX; i++)
		fprintf(out, "$arg%02d\\\\n", i);
	fprintf(out, "\", $_corescan_width = %d", WORD_WIDTH);
}

static void write_take_words(FILE *out)
{
	fputs("  dont-repeat\n"
	      "  set var $_corescan_count = $argc\n"
	      "  " QUIET("_corescan_take") "\n",
	      out);
}

/* Where the reader of a pipe ends early, be it that the words are wrong, a gdb without Python dies
 * of SIGPIPE: the shell takes all that gdb says, whatever becomes of the rest. It has carried out
 * the first line before it reads the one with the user's words. */
static void write_pipe(const char *tell, const char *command, FILE *out)
{
	fprintf(out,
		"  eval \"pipe -d @corescan@ -- %s @corescan@ trap 'cat >/dev/null' EXIT\\n"
		"corescan='%%s'; [ -x \\\"$corescan\\\" ] || corescan=corescan\\n"
		"\\\"$corescan\\\" %s --from-gdb%%s\", $_corescan_program, $_corescan_given\n",
		tell, command);
}

/* How many words are gdb's to evaluate: those before the first option. The shell looks at them:
 * gdb cannot hold in a string a word that has quotes. */
static const char split_words[] =
    "  set var $_corescan_split = 0\n"
    "  if $_corescan_count\n"
    "    eval \"pipe -d @corescan@ -- echo %s @corescan@ number=0\\n"
    "while read -r word rest; do case $word in --*|-v|'|'|'>'*) break;; esac; "
    "number=$((number + 1)); done; cat >/dev/null; exit $number\", $_corescan_lines\n"
    "    set var $_corescan_split = $_shell_exitcode\n"
    "  end\n";

/* explain EXPRESSION [OPTIONS] */
static void write_explain(const struct view *view, FILE *out)
{
	fprintf(out, DEFINE "corescan %s\n", view->name);
	write_take_words(out);
	fputs(split_words, out);
	fputs("  if $_corescan_split\n", out);
	fputs("    " QUIET("_corescan_part") "\n", out);
	fputs("    eval \"set var $_corescan_value =%s\", $_corescan_expression\n", out);
	fputs("    " QUIET(SET "$_corescan_address = (unsigned long)$_corescan_value") "\n  ", out);
	write_pipe("_corescan_tell_address", view->name, out);
	fputs("  else\n  ", out);
	write_pipe("_corescan_tell", view->name, out);
	fputs("  end\nend\n", out);
}

static void write_view(const struct view *view, FILE *out)
{
	if ((view->needs & NEED_EXPLANATION) != 0) {
		write_explain(view, out);
	} else {
		fprintf(out, DEFINE "corescan %s\n", view->name);
		write_take_words(out);
		write_pipe("_corescan_tell", view->name, out);
		fputs("end\n", out);
	}
	fprintf(out, "document corescan %s\nShow %s.\n", view->name, view->summary);
	fprintf(out,
		"Usage: corescan %s%s [OPTIONS] [| SHELL_COMMAND]\n"
		"The options are those of corescan outside gdb: corescan --help.\nend\n\n",
		view->name, (view->needs & NEED_EXPLANATION) != 0 ? " EXPRESSION" : "");
}

static void write_views(FILE *out)
{
	size_t count;
	const struct view *views = view_list(&count);
	fputs("with confirm off -- define-prefix corescan\n" DEFINE "corescan\n", out);
	write_take_words(out);
	write_pipe("_corescan_tell", views[0].name, out);
	fputs("end\ndocument corescan\n"
	      "Say what died, who waits for whom, and where the memory is.\n"
	      "Looks at the core, or at the process, that gdb has open.\n"
	      "Usage: corescan [SUBCOMMAND] [OPTIONS] [| SHELL_COMMAND]\n"
	      "The options are those of corescan outside gdb: corescan --help.\n"
	      "$_shell_exitcode is corescan's exit status.\nend\n\n",
	      out);
	for (size_t i = 0; i < count; i++)
		write_view(&views[i], out);
}

void command_file_write(const char *program, FILE *out)
{
	fputs("# corescan's commands for gdb 9 and newer; written by corescan --gdb-commands.\n"
	      "# gdb reads this file when it starts from its gdbinit.d; or: source FILE\n",
	      out);
	fputs(QUIET_BEGIN SET "$_corescan_program = \"", out);
	write_quoted(program, out);
	fputs("\", ", out);
	write_words(out);
	fputs(QUIET_END "\n", out);
	write_thread(&arch_x86_64, out);
	fputs(common, out);
	write_views(out);
	/* In the end: where "core" is an alias of the user's own, gdb reads no further. */
	fputs(
	    "# So that \"core FILE\" stays what it was.\n" QUIET(
		SET
		"$_corescan_more = $_isvoid($_corescan_aliased), $_corescan_aliased = 1") "\n"
											  "if "
											  "$_"
											  "corescan"
											  "_more\n "
											  " alias "
											  "core = "
											  "core-"
											  "file\nen"
											  "d\n",
	    out);
}
