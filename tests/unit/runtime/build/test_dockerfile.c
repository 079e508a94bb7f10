// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#include "runtime/build/dockerfile.h"

static void show_words(const struct instruction *step, struct strbuf *out)
{
	strv_foreach(word, step->words)
		strbuf_addf(out, " <%s>", word);
}

static void show(const struct instruction *step, struct strbuf *out)
{
	strbuf_addf(out, "%u-%u %s", step->place.line, step->last_line,
		    instruction_name(step->kind));
	for (size_t i = 0; i < step->flag_count; i++)
		strbuf_addf(out, " --%s=%s", step->flags[i].name, step->flags[i].value ?: "");
	if (step->json)
		strbuf_add(out, " json");
	if (step->words)
		show_words(step, out);
	else
		strbuf_addf(out, " {%s}", step->arguments);
	for (size_t i = 0; i < step->heredoc_count; i++)
		strbuf_addf(out, " %s%s[%s]", step->heredocs[i].name,
			    step->heredocs[i].expand ? "$" : "", step->heredocs[i].content);
	strbuf_add(out, "\n");
	if (step->trigger) {
		strbuf_add(out, "  ");
		show(step->trigger, out);
	}
}

/* The instructions as text, or the report of what is wrong. */
static char *parse(const char *text)
{
	struct dockerfile *dockerfile = NULL;
	struct strbuf out = {0};
	struct error err = ERROR_INIT;
	char *report;

	if (dockerfile_parse("Dockerfile", text, strlen(text), &dockerfile, &report, &err) < 0)
		return report ?: strdup(err.message);
	for (size_t i = 0; i < dockerfile->count; i++)
		show(&dockerfile->instructions[i], &out);
	dockerfile_free(dockerfile);
	return strbuf_take(&out);
}

static const struct {
	const char *text, *expect;
} forms[] = {
	{"FROM a\nRUN echo \\\n  # no\n\n  hello \\\n  you\n",
	 "1-1 FROM <a>\n2-6 RUN {echo   hello   you}\n"},
	{"FROM a\nrun [\"a b\", \"c\"]\nRUN ['x']",
	 "1-1 FROM <a>\n2-2 RUN json <a b> <c>\n3-3 RUN {['x']}\n"},
	{"# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN c:\\x `\ny",
	 "3-3 FROM <a>\n4-5 RUN {c:\\x y}\n"},
	{"# a comment\n# escape=`\nFROM a\nRUN x \\\ny", "3-3 FROM <a>\n4-5 RUN {x y}\n"},
	{"FROM --platform=$BUILDPLATFORM a AS b\nCOPY --from=b --chown=1:2 --link x y /z/\n",
	 "itself"},
	{"FROM a\nENV A=b 'C=d e' F=\"g h\" I=j\\ k\nENV OLD  way of it",
	 "1-1 FROM <a>\n2-2 ENV <A=b> <'C=d e'> <F=\"g h\"> <I=j\\ k>\n3-3 ENV <OLD=way of it>\n"},
	{"FROM a\nRUN <<EOF\necho 1\n# kept\nEOF\nRUN x",
	 "1-1 FROM <a>\n2-5 RUN {<<EOF} EOF$[echo 1\n# kept\n]\n6-6 RUN {x}\n"},
	{"FROM a\nCOPY <<-'A' <<B /d/\n\t\tone\n\tA\ntwo\nB\n",
	 "1-1 FROM <a>\n2-6 COPY <<<-'A'> <<<B> </d/> A[one\n] B$[two\n]\n"},
	{"FROM a\nONBUILD RUN --network=none <<E\nx\nE\n",
	 "1-1 FROM <a>\n2-4 ONBUILD {RUN --network=none <<E}\n"
	 "  2-4 RUN --network=none {<<E} E$[x\n]\n"},
	{"ARG V=1\nFROM a:$V\nHEALTHCHECK --interval=5s CMD curl x\nHEALTHCHECK NONE\n"
	 "HEALTHCHECK CMD [\"a\"]",
	 "1-1 ARG <V=1>\n2-2 FROM <a:$V>\n3-3 HEALTHCHECK --interval=5s <CMD> <curl x>\n"
	 "4-4 HEALTHCHECK <NONE>\n5-5 HEALTHCHECK json <CMD> <a>\n"},
	{"FROM a\r\nRUN x \\\r\ny\r\n", "1-1 FROM <a>\n2-3 RUN {x y}\n"},
	{"FROM a\nVOLUME [\"/a b\"]\nVOLUME /c /d\nSHELL [\"s\"]\nCMD []\nEXPOSE 80 81/udp\n"
	 "WORKDIR /a b\nRUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c -- --x",
	 "1-1 FROM <a>\n2-2 VOLUME json </a b>\n3-3 VOLUME </c> </d>\n4-4 SHELL json <s>\n"
	 "5-5 CMD json {[]}\n6-6 EXPOSE <80> <81/udp>\n7-7 WORKDIR </a b>\n"
	 "8-8 RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c {--x}\n"},
};

Test(dockerfile, forms)
{
	array_foreach(c, forms) {
		_cleanup_free_ char *got = parse(c->text);

		if (!strcmp(c->expect, "itself"))
			cr_expect(strstr(got, "a stage cannot copy from itself"), "%s", got);
		else
			cr_expect_str_eq(got, c->expect, "%s", c->text);
	}
}

static const struct {
	const char *text, *expect;
} errors[] = {
	{"FROM a\nRNU x\n  COPI y z\n",
	 "Dockerfile:2:1: unknown instruction \"RNU\"; did you mean RUN?\n"
	 "   2 | RNU x\n     | ^~~\n"
	 "Dockerfile:3:3: unknown instruction \"COPI\"; did you mean COPY?\n"
	 "   3 |   COPI y z\n     |   ^~~~\n"},
	{"FROM a\nCOPY \\\n  --form=b x y\n",
	 "Dockerfile:3:3: COPY has no flag --form; did you mean --from?\n"
	 "   3 |   --form=b x y\n     |   ^~~~~~~~\n"},
	{"", "Dockerfile:1: there is no FROM: nothing to build\n"},
	{"RUN x\n", "Dockerfile:1:1: RUN comes before the first FROM: only ARG may\n"
		    "   1 | RUN x\n     | ^~~\n"},
	{"FROM a b\n", "Dockerfile:1:1: FROM takes one image: FROM IMAGE, or FROM IMAGE AS NAME\n"
		       "   1 | FROM a b\n     | ^~~~\n"},
	{"FROM a\nCOPY x\n", "Dockerfile:2:1: COPY requires at least two arguments: COPY SOURCE... "
			     "DESTINATION\n   2 | COPY x\n     | ^~~~\n"},
	{"FROM a\nENV A=b C\n", "Dockerfile:2:9: ENV: \"C\" must be given as NAME=VALUE\n"
				"   2 | ENV A=b C\n     |         ^\n"},
	{"FROM a\nRUN <<EOF\nx\n", "Dockerfile:2: heredoc <<EOF is not ended: no line is \"EOF\"\n"
				   "   2 | RUN <<EOF\n     | ^~~~~~~~~\n"},
	{"FROM a\nONBUILD FROM b\n", "Dockerfile:2:9: FROM is not allowed as an ONBUILD trigger\n"
				     "   2 | ONBUILD FROM b\n     |         ^~~~\n"},
	{"FROM a AS x\nFROM b\nCOPY --from=1 a b\n",
	 "Dockerfile:3:6: --from=1: there is no such stage above\n"
	 "   3 | COPY --from=1 a b\n     |      ^~~~~~~~\n"},
	{"# escape=x\nFROM a", "Dockerfile:1:1: escape=x: it must be a backslash or a backtick\n"
			       "   1 | # escape=x\n     | ^~~~~~~~~~\n"},
};

Test(dockerfile, all_errors_with_their_place)
{
	array_foreach(c, errors) {
		_cleanup_free_ char *got = parse(c->text);

		cr_expect_str_eq(got, c->expect, "%s", c->text);
	}
}

Test(dockerfile, stages)
{
	static const char text[] = "FROM a AS One\nRUN x\nFROM b\nFROM one\nRUN y\n";
	struct dockerfile *file = NULL;
	struct error err = ERROR_INIT;
	char *report;

	cr_assert(dockerfile_parse("D", text, strlen(text), &file, &report, &err) == 0);
	cr_expect_eq(file->stage_count, 3);
	cr_expect_str_eq(file->stages[0].name, "one");
	cr_expect_eq(file->stages[0].end, 2);
	cr_expect_eq(dockerfile_find_stage(file, "ONE", 2), 0);
	cr_expect_eq(dockerfile_find_stage(file, "1", 2), 1);
	cr_expect_eq(dockerfile_find_stage(file, "2", 2), -1);
	cr_expect_eq(dockerfile_find_stage(file, "a", 2), -1);
	dockerfile_free(file);
}
