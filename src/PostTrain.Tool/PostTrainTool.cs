using System.CommandLine;
using System.CommandLine.Help;

namespace PostTrain.Tool;

/// <summary>The command <c>posttrain</c> with its subcommands.</summary>
internal static class PostTrainTool
{
    /// <summary>Exit code of a command line, or of a file of options, that cannot be run.</summary>
    internal const int UsageError = 2;

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="terminal">Takes all output.</param>
    /// <param name="stop">Ends a training after its current step.</param>
    /// <returns>0, 1 on failure, 2 for an unusable command line, 130 if stopped.</returns>
    internal static async Task<int> RunAsync(string[] args, Terminal terminal, CancellationToken stop)
    {
        var root = Root(terminal);
        var plain = new ParserConfiguration { ResponseFileTokenReplacer = null };
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, plain);
        if (parsed.CommandResult.Command is ToolCommand { } command && parsed.Action is not HelpAction)
        {
            try
            {
                parsed = root.Parse([.. args, .. RunFile.Arguments(command, parsed)], plain);
            }
            catch (UsageException exception)
            {
                return Refuse(terminal, command, exception.Message);
            }
        }
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
            return Refuse(terminal, parsed.CommandResult.Command, MessageOf(parsed));
        return await parsed
            .InvokeAsync(
                new InvocationConfiguration
                {
                    Output = terminal.Output,
                    Error = terminal.Progress,
                    ProcessTerminationTimeout = null,
                },
                stop
            )
            .ConfigureAwait(false);
    }

    // An unknown option is named first: what else is wrong may follow from it.
    private static string MessageOf(ParseResult parsed) =>
        parsed.UnmatchedTokens is [var unknown, ..]
            ? $"there is no option '{unknown}'"
                + NearestName.Hint(
                    unknown,
                    parsed
                        .CommandResult.Command.Options.Select(option => option.Name)
                        .Concat(parsed.CommandResult.Command.Subcommands.Select(command => command.Name))
                )
            : parsed.Errors[0].Message;

    internal static RootCommand Root(Terminal terminal) =>
        new("Post-training of language models: supervised, preferences, rewards, reinforcement learning, distillation.")
        {
            new SftCommand(terminal),
            new DpoCommand(terminal),
            new RewardCommand(terminal),
            new GrpoCommand(terminal),
            new PpoCommand(terminal),
            new DistillCommand(terminal),
            new MergeAdapterCommand(terminal),
            new ExportCommand(terminal),
            new GenerateCommand(terminal),
            new EvaluateCommand(terminal),
            new ReportCommand(terminal),
            new DataCommand(terminal),
        };

    internal static int Refuse(Terminal terminal, Command command, string message)
    {
        string name = command is RootCommand ? "posttrain" : $"posttrain {command.Name}";
        terminal.Error($"{name}: {message.ReplaceLineEndings(" ").Trim()} ({name} --help lists the options)");
        return UsageError;
    }
}
