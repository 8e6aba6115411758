using System.CommandLine;

namespace PostTrain.Tool.Tests;

/// <summary>The help of every command, and its table in docs/tool.md.</summary>
public sealed class HelpTests
{
    private static RootCommand Root => PostTrainTool.Root(Terminal.Plain(TextWriter.Null, TextWriter.Null));

    public static TheoryData<string> Commands => [.. Root.Subcommands.Select(command => command.Name)];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Command_ListsItsOptions(string name)
    {
        var help = await Subject.RunAsync(name, "--help");
        var command = Root.Subcommands.Single(command => command.Name == name);
        Assert.NotEmpty(command.Options);
        Assert.All(command.Options.Where(option => !option.Hidden), option => Assert.Contains(option.Name, help, StringComparison.Ordinal));
        Assert.Contains(command.Description!, help, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tool_ListsItsCommands()
    {
        foreach (
            string[] arguments in (string[][])
                [
                    [],
                    ["--help"],
                ]
        )
        {
            var help = await Subject.RunAsync(arguments);
            Assert.All(Root.Subcommands, command => Assert.Contains(command.Name, help, StringComparison.Ordinal));
        }
        Assert.Equal(12, Root.Subcommands.Count);
    }

    [Fact]
    public void EveryOption_SaysWhatItIs() =>
        Assert.All(
            Root.Subcommands.SelectMany(command => command.Options),
            option => Assert.True(option.Description?.Length > 8, option.Name)
        );
}
