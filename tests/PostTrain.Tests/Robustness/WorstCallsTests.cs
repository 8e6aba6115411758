using System.Text.RegularExpressions;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Robustness;

/// <summary>No argument of a public function ends the process: TorchSharp turns some errors of libtorch into an abort instead of an
/// exception.</summary>
public sealed class WorstCallsTests
{
    // What a caller can act on. A message of libtorch comes as ExternalException.
    private static readonly string[] Expected =
    [
        "ArgumentException",
        "ArgumentNullException",
        "ArgumentOutOfRangeException",
        "ExternalException",
        "InvalidOperationException",
        "NotSupportedException",
    ];

    [Fact]
    public void EveryFunctionOnTensors_RefusesWhatDoesNotFit_AndTheProcessLives()
    {
        var (code, output, errors) = DotnetCommand.Start(
            AppContext.BaseDirectory,
            TimeSpan.FromMinutes(5),
            new Dictionary<string, string>(),
            typeof(WorstCalls).Assembly.Location,
            WorstCalls.Command
        );
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(
            code == 0 && lines[^1] == "done",
            $"the process ended with {code} after "
                + $"'{lines.LastOrDefault(line => line.StartsWith("function ", StringComparison.Ordinal))}':\n{errors}"
        );

        var functions = lines.Where(line => line.StartsWith("function ", StringComparison.Ordinal)).ToArray();
        Assert.True(functions.Length >= 110, $"{functions.Length} functions were called");
        var unexpected = new List<string>();
        string function = "";
        foreach (var line in lines)
        {
            if (line.StartsWith("function ", StringComparison.Ordinal))
                function = line["function ".Length..];
            else if (line.Split(':')[0] is var kind && kind.EndsWith("Exception", StringComparison.Ordinal) && !Expected.Contains(kind))
                unexpected.Add($"{function}: {line}");
        }
        Assert.True(unexpected.Count == 0, string.Join('\n', unexpected));
        // Shapes that do not fit are told by name, with what was given and what was expected.
        Assert.Contains(
            lines,
            line => Regex.IsMatch(line, @"^ArgumentException: oldLogProbs has shape \[[\d, ]*\], expected \[[\d, ]*\] as logProbs")
        );
    }
}
