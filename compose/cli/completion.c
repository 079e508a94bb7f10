// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/output.h"

/*
 * The shells only ask: `berth __complete WORD... CURRENT` answers a line a candidate, "WORD" TAB
 * "what it is". The last line is ":0", or ":1" where files are to be offered as well.
 */

static const char bash_script[] =
	"# bash completion for berth\n"
	"_berth() {\n"
	"\tlocal line files=1\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:0) files=0 ;;\n"
	"\t\t:1) files=1 ;;\n"
	"\t\t*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	"2>/dev/null)\n"
	"\tif [ \"$files\" = 1 ]; then\n"
	"\t\tcompopt -o default -o filenames 2>/dev/null\n"
	"\t\tCOMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
	"\tfi\n"
	"\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace\n"
	"}\n"
	"complete -F _berth berth\n";

static const char zsh_script[] =
	"#compdef berth\n"
	"_berth() {\n"
	"\tlocal line files=1\n"
	"\tlocal -a found\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:0) files=0 ;;\n"
	"\t\t:1) files=1 ;;\n"
	"\t\t*$'\\t'*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
	"\t\t*) found+=(\"${line//:/\\\\:}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\t(( ${#found} )) && _describe -V berth found\n"
	"\t[[ $files == 1 ]] && _files\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _berth ]; then _berth \"$@\"; else compdef _berth berth; fi\n";

static const char fish_script[] = "# fish completion for berth\n"
				  "function __berth_complete\n"
				  "\tset -l words (commandline -opc) (commandline -ct)\n"
				  "\tfor line in ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
				  "\t\tswitch $line\n"
				  "\t\t\tcase ':0'\n"
				  "\t\t\tcase ':1'\n"
				  "\t\t\t\t__fish_complete_path (commandline -ct)\n"
				  "\t\t\tcase '*'\n"
				  "\t\t\t\techo $line\n"
				  "\t\tend\n"
				  "\tend\n"
				  "end\n"
				  "complete -c berth -f -a '(__berth_complete)'\n";

static int print_bash(struct project_args *args, int argc, char **argv)
{
	fputs(bash_script, stdout);
	return 0;
}

static int print_zsh(struct project_args *args, int argc, char **argv)
{
	fputs(zsh_script, stdout);
	return 0;
}

static int print_fish(struct project_args *args, int argc, char **argv)
{
	fputs(fish_script, stdout);
	return 0;
}

static const struct command bash = {
	.name = "bash",
	.operands = "",
	.summary = "For bash: source <(berth completion bash)",
	.run = print_bash,
};

static const struct command zsh = {
	.name = "zsh",
	.operands = "",
	.summary = "For zsh: source <(berth completion zsh)",
	.run = print_zsh,
};

static const struct command fish = {
	.name = "fish",
	.operands = "",
	.summary = "For fish: berth completion fish | source",
	.run = print_fish,
};

static const struct command *const shells[] = {&bash, &fish, &zsh, NULL};

const struct command command_completion = {
	.name = "completion",
	.operands = "SHELL",
	.summary = "Print a script by which a shell completes berth's commands",
	.children = shells,
};
