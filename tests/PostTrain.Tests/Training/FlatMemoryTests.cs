using System.Diagnostics;
using System.Globalization;

namespace PostTrain.Tests.Training;

/// <summary>Training needs no more memory after many steps than after few: no tensor more is alive, and the process is no larger.</summary>
/// <remarks>1,000 steps, compared with the hundredth; 10,000 and the thousandth where the environment variable POSTTRAIN_LONG is
/// set.</remarks>
public sealed class FlatMemoryTests
{
    private static readonly int Steps = Environment.GetEnvironmentVariable("POSTTRAIN_LONG") is { Length: > 0 } ? 10_000 : 1_000;

    public static TheoryData<string> Trainers => [.. FlatMemoryRun.Trainers];

    [Theory]
    [MemberData(nameof(Trainers))]
    public void ManySteps_LeaveNoTensorAndNoMemoryBehind(string trainer)
    {
        var (early, late) = Run(trainer);
        Assert.Equal(early.Tensors, late.Tensors);
        Assert.True(
            late.Resident <= 1.02 * early.Resident,
            $"{early.Resident:N0} bytes were resident after step {early.Step}, and {late.Resident:N0} after step "
                + $"{late.Step}; expected at most 2 % more"
        );
    }

    // In a process of its own: other tests make tensors meanwhile.
    private static (Reading Early, Reading Late) Run(string trainer)
    {
        string[] arguments =
        [
            typeof(FlatMemoryRun).Assembly.Location,
            FlatMemoryRun.Command,
            trainer,
            Steps.ToString(CultureInfo.InvariantCulture),
        ];
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Methods that turn out to be hot are compiled again, for thousands of steps, and the new code is memory too.
        start.Environment["DOTNET_TieredCompilation"] = "0";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string[] lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"the run ended with {process.ExitCode}:\n{errors.Result}");
        Assert.Equal(10, lines.Length);
        return (Reading.Of(lines[0]), Reading.Of(lines[^1]));
    }

    private readonly record struct Reading(int Step, long Tensors, long Resident)
    {
        internal static Reading Of(string line)
        {
            long[] numbers = [.. line.Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
            return new((int)numbers[0], numbers[1], numbers[2]);
        }
    }
}
