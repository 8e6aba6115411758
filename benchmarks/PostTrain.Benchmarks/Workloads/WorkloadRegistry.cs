using PostTrain.Preference;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>All workloads, in the order of a run.</summary>
internal static class WorkloadRegistry
{
    public static IReadOnlyList<IWorkload> All { get; } =
    [
        new LogProb(),
        new LogProbEntropy(),
        new LogProbEntropyGradient(),
        new CrossEntropy(),
        new LinearCrossEntropy(),
        new Dpo("K.dpo.sigmoid", MarginLoss.Sigmoid()),
        new Dpo("K.dpo.ipo", DpoLoss.Ipo()),
        new Kto(),
        new Grpo("K.grpo.grpo", givenTokenCount: false),
        new Grpo("K.grpo.dapo", givenTokenCount: true),
        new Ppo(),
        new Gae(),
        new GroupAdvantages(),
        new BradleyTerry(),
        new JensenShannon(),
        new AdamWStep(),
        new ClipGradients(),
        new LinearMap(),
        new AdaptedLinearMap(),
        new SftStep("S.sft.full", adapted: false),
        new SftStep("S.sft.lora", adapted: true),
        new DpoStep(),
        new GrpoStep(),
        new SampledTokens(),
        new SupervisedRun(),
        new ReinforcementRun(),
        new SquareProduct(),
    ];

    /// <summary>The workload of an id.</summary>
    public static IWorkload Of(string id) => All.Single(workload => workload.Id == id);
}
