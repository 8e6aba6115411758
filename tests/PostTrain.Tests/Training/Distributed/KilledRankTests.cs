using System.Diagnostics;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>A rank of <c>mpirun</c> is killed: the run ends with its name, and a run that goes on leaves the bytes of one that nobody
/// killed.</summary>
[Collection("Sequential")]
public sealed class KilledRankTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    // With dropout, whose draws are a function of update and part.
    [MpiFact]
    public void KilledRank_EndsTheRunWithItsName_AndTheNextGoesOn() => Check("sft", killed: 1);

    [MpiMeasurementFact]
    public void KilledRanks_OfEveryKindOfTrainer()
    {
        foreach (var trainer in KilledRun.Trainers.Except(["ahead"]))
        foreach (int rank in new[] { 0, 1 })
            Check(trainer, rank);
    }

    private void Check(string trainer, int killed)
    {
        string whole = directory.File($"{trainer}-{killed}-whole"),
            broken = directory.File($"{trainer}-{killed}-broken");
        var (code, _, errors) = MpiCommand.Run(2, TimeSpan.FromMinutes(3), trainer, whole);
        Assert.True(code == 0, errors);

        using (var process = MpiCommand.Start(2, trainer, broken))
        {
            var said = process.StandardError.ReadToEndAsync();
            while (process.StandardOutput.ReadLine() is { } line && line != "step 5") { }
            using var rank = Process.GetProcessById(RankOf(process.Id, killed));
            var watch = Stopwatch.StartNew();
            rank.Kill();
            process.StandardOutput.ReadToEnd();
            Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), "the run had not ended a minute after a rank was killed");
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(1));
            Assert.NotEqual(0, process.ExitCode);
            Assert.Contains($"process rank {killed} ", said.Result, StringComparison.Ordinal);
        }

        (code, _, errors) = MpiCommand.Run(2, TimeSpan.FromMinutes(3), trainer, broken);
        Assert.True(code == 0, errors);
        Assert.Equal(KilledRunTests.Names(whole), KilledRunTests.Names(broken));
        foreach (var name in KilledRunTests.Names(whole))
            Assert.True(KilledRunTests.Content(whole, name).SequenceEqual(KilledRunTests.Content(broken, name)), $"{name} differs");
    }

    // The process that mpirun started as a rank.
    private static int RankOf(int mpirun, int rank)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _)))
        {
            try
            {
                var parent = File.ReadAllText($"{folder}/stat").Split(") ")[^1].Split(' ')[1];
                if (parent == $"{mpirun}" && File.ReadAllText($"{folder}/environ").Split('\0').Contains($"OMPI_COMM_WORLD_RANK={rank}"))
                    return int.Parse(Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // It has ended meanwhile.
            }
        }
        throw new InvalidOperationException($"mpirun {mpirun} has no process of rank {rank}");
    }
}
