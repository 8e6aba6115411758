using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

public sealed class TrainGrpoTests
{
    public static TheoryData<string> Cases => [.. All.Select(item => item.Id)];

    private static IEnumerable<GoldenCase> All => GoldenFile.Load("train")?.Cases.Where(TrainGrpo.Runs) ?? [];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Replay_FollowsTheReferencesRun(string id)
    {
        using var scope = NewDisposeScope();
        TrainGrpo.Check(All.Single(item => item.Id == id));
    }
}
