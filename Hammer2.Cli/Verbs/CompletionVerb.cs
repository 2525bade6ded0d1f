// `hammer2 completion`: scripts that make a shell ask this program for completions, through the
// [suggest] directive of System.CommandLine. Invariant: where nothing of ours fits, the shell completes files, because
// most arguments are paths. May call Output.

using System.CommandLine;
using Hammer2.Cli.Output;

namespace Hammer2.Cli.Verbs;

/// <summary>Prints completion scripts.</summary>
internal static class CompletionVerb
{
    private static readonly Dictionary<string, string> s_scripts = new()
    {
        ["bash"] = """
            # hammer2 completion for bash: source <(hammer2 completion bash)
            _hammer2_complete()
            {
                local word="${COMP_WORDS[COMP_CWORD]}" IFS=$'\n'
                local position="$COMP_POINT" line="$COMP_LINE"
                COMPREPLY=( $(compgen -W "$(hammer2 "[suggest:${position}]" "${line}" 2>/dev/null)" -- "$word") )
            }
            complete -o default -o bashdefault -F _hammer2_complete hammer2

            """,
        ["zsh"] = """
            #compdef hammer2
            # hammer2 completion for zsh: source <(hammer2 completion zsh)
            _hammer2()
            {
                local -a suggestions
                suggestions=("${(@f)$(hammer2 "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
                suggestions=("${(@)suggestions:#}")
                compadd -a suggestions
                _files
            }
            compdef _hammer2 hammer2

            """,
        ["fish"] = """
            # hammer2 completion for fish: hammer2 completion fish | source
            function __hammer2_complete
                set -l line (commandline -cp)
                hammer2 "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
            end
            complete -c hammer2 -a '(__hammer2_complete)'

            """,
        ["pwsh"] = """
            # hammer2 completion for PowerShell: hammer2 completion pwsh | Out-String | Invoke-Expression
            Register-ArgumentCompleter -Native -CommandName hammer2, hammer2.exe -ScriptBlock {
                param($wordToComplete, $commandAst, $cursorPosition)
                $line = $commandAst.ToString().PadRight($cursorPosition)
                hammer2 "[suggest:$cursorPosition]" "$line" 2>$null |
                    Where-Object { $_ -like "$wordToComplete*" } |
                    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            }

            """,
    };

    public static VerbCommand Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh, fish or pwsh." };
        shell.CompletionSources.Add([.. s_scripts.Keys]);
        shell.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && !s_scripts.ContainsKey(result.Tokens[0].Value))
                result.AddError($"completion knows bash, zsh, fish and pwsh, not '{result.Tokens[0].Value}'");
        });
        return new VerbCommand(
            "completion",
            "Print a script that completes verbs and options in a shell.",
            "source <(hammer2 completion bash)",
            "hammer2 completion pwsh | Out-String | Invoke-Expression")
        {
            shell,
        }.Runs((_, parsed) =>
        {
            string name = parsed.GetRequiredValue(shell);
            return VerbResult.Of(new CompletionScript(name, s_scripts[name]));
        });
    }
}

/// <summary>A completion script.</summary>
internal sealed record CompletionScript(string Shell, string Script) : ITextShape
{
    public void WriteText(TextOutput output) => output.Part(Script.ReplaceLineEndings("\n"));
}
