// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

/*
 * The shells only ask: `berth __complete WORD... CURRENT` answers a line a candidate, "WORD" TAB
 * "what it is". The last line is ":0", or ":1" where files are to be offered as well.
 */

static const char bash_script[] =
	"# bash completion for berth\n"
	"_berth() {\n"
	"\tlocal line files=1 piece cur prefix rest=$COMP_LINE name i\n"
	"\tlocal -a words=() names=()\n"
	"\tCOMPREPLY=()\n"
	"\t# bash parts words at = and : as well; what has no blank between is one to us.\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tpiece=${COMP_WORDS[i]}\n"
	"\t\tif ((i)) && [[ $rest == \"$piece\"* && $rest != [[:space:]]* && -n $rest ]]; then\n"
	"\t\t\twords[-1]+=$piece\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$piece\")\n"
	"\t\t\trest=${rest#\"${rest%%[![:space:]]*}\"}\n"
	"\t\tfi\n"
	"\t\trest=${rest#\"$piece\"}\n"
	"\tdone\n"
	"\tcur=${words[-1]}\n"
	"\t[[ $piece == [=:] ]] && piece=\n"
	"\tprefix=${cur%\"$piece\"}\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:0) files=0 ;;\n"
	"\t\t:1) files=1 ;;\n"
	"\t\t*) line=${line%%$'\\t'*} && COMPREPLY+=(\"${line#\"$prefix\"}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"\tif [ \"$files\" = 1 ]; then\n"
	"\t\t((${#COMPREPLY[@]})) || compopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t names < <(compgen -f -- \"$piece\")\n"
	"\t\tfor name in \"${names[@]}\"; do\n"
	"\t\t\t((${#COMPREPLY[@]})) && [ -d \"$name\" ] && name+=/\n"
	"\t\t\tCOMPREPLY+=(\"$name\")\n"
	"\t\tdone\n"
	"\tfi\n"
	"\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:/] ]] && compopt -o nospace\n"
	"\treturn 0\n"
	"}\n"
	"complete -F _berth berth\n";

static const char zsh_script[] =
	"#compdef berth\n"
	"_berth() {\n"
	"\tlocal line word files=1\n"
	"\tlocal -a found open\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:0) files=0; continue ;;\n"
	"\t\t:1) files=1; continue ;;\n"
	"\t\tesac\n"
	"\t\tword=\"${${line%%$'\\t'*}//:/\\\\:}\"\n"
	"\t\t[[ $line == *$'\\t'* ]] && word+=\":${line#*$'\\t'}\"\n"
	"\t\t# More is to be typed behind these.\n"
	"\t\tif [[ ${line%%$'\\t'*} == *[=:] ]]; then open+=(\"$word\"); else found+=(\"$word\"); "
	"fi\n"
	"\tdone < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\t(( ${#found} )) && _describe -V berth found\n"
	"\t(( ${#open} )) && _describe -V berth open -S ''\n"
	"\tif [[ $files == 1 ]]; then\n"
	"\t\t[[ $words[CURRENT] == -*=* ]] && compset -P '*='\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _berth ]; then _berth \"$@\"; else compdef _berth berth; fi\n";

static const char fish_script[] =
	"# fish completion for berth\n"
	"function __berth_complete\n"
	"\tset -l current (commandline -ct)\n"
	"\tset -l words (commandline -opc) $current\n"
	"\tset -l flag (string match -r -- '^-[^=]*=' $current; or echo)\n"
	"\tfor line in ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
	"\t\tswitch $line\n"
	"\t\t\tcase ':0'\n"
	"\t\t\tcase ':1'\n"
	"\t\t\t\tfor path in (__fish_complete_path (string replace -- \"$flag\" '' $current))\n"
	"\t\t\t\t\techo $flag$path\n"
	"\t\t\t\tend\n"
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
	.outside = true,
	.run = print_bash,
};

static const struct command zsh = {
	.name = "zsh",
	.operands = "",
	.summary = "For zsh: source <(berth completion zsh)",
	.outside = true,
	.run = print_zsh,
};

static const struct command fish = {
	.name = "fish",
	.operands = "",
	.summary = "For fish: berth completion fish | source",
	.outside = true,
	.run = print_fish,
};

static const struct command *const shells[] = {&bash, &fish, &zsh, NULL};

const struct command command_completion = {
	.name = "completion",
	.operands = "SHELL",
	.summary = "Print a script by which a shell completes berth's commands",
	.children = shells,
};
