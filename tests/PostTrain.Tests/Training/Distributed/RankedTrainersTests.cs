using PostTrain.Tests.Support;
using PostTrain.Training.Distributed;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>What holds for every trainer: several ranks give what one process gives.</summary>
[Collection("Sequential")]
public sealed class RankedTrainersTests
{
    internal static string[] Names { get; } =
    [.. TrainerTable.All.Keys.Concat(TrainerVariants.All.Keys).Where(name => !RankedRun.IsRefused(name))];

    public static TheoryData<string> Trainers => [.. Names];

    // The largest differences are those of sums in another order, about 1e-15.
    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task Ranks_GiveWhatOneProcessGives(string name)
    {
        var alone = await RankedRun.TrainAsync(name, null, new DistributedOptions());
        Assert.True(alone.Reports.Max(report => report["grad_norm"]) > 1e-3);
        var ranked = await RankedRun.AsThreadsAsync(name, 3, null, new DistributedOptions());
        for (int rank = 0; rank < ranked.Length; rank++)
            RankedComparison.Near(alone, ranked[rank], $"rank {rank} of 3");
    }

    // As many parts as rows, so that each rank has several and some ranks have one more.
    [Theory]
    [MemberData(nameof(Trainers))]
    public async Task FixedOrder_GivesTheBitsOfOneProcess(string name)
    {
        var alone = await RankedRun.TrainAsync(name, 1, new DistributedOptions());
        var ranked = await RankedRun.AsThreadsAsync(name, 2, 1, new DistributedOptions { FixedOrder = true });
        foreach (var (rank, result) in ranked.Index())
            RankedComparison.Same(alone, result, $"rank {rank} of 2");
    }

    [MeasurementFact]
    public async Task TwoToFour_GiveWhatOneProcessGives()
    {
        foreach (var name in Names)
        foreach (int ranks in new[] { 2, 3, 4 })
        {
            var alone = await RankedRun.TrainAsync(name, null, new DistributedOptions());
            var parts = await RankedRun.TrainAsync(name, 1, new DistributedOptions());
            foreach (var result in await RankedRun.AsThreadsAsync(name, ranks, null, new DistributedOptions { SplitRewards = true }))
                RankedComparison.Near(alone, result, $"{name}, {ranks} ranks");
            foreach (var result in await RankedRun.AsThreadsAsync(name, ranks, 1, new DistributedOptions { FixedOrder = true }))
                RankedComparison.Same(parts, result, $"{name}, {ranks} ranks");
        }
    }
}
