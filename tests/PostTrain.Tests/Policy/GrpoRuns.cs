using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Policy;

/// <summary>What the tests of <see cref="GrpoTrainer"/> train with.</summary>
internal static class GrpoRuns
{
    /// <summary>Every preset that needs no critic, by its name.</summary>
    internal static IReadOnlyDictionary<string, PolicyObjective> Presets { get; } =
        new PolicyObjective[]
        {
            PolicyObjectives.Grpo(),
            PolicyObjectives.DrGrpo(2),
            PolicyObjectives.Bnpo(),
            PolicyObjectives.Dapo(),
            PolicyObjectives.Gspo(),
            PolicyObjectives.GspoToken(),
            PolicyObjectives.Cispo(),
            PolicyObjectives.Sapo(),
            PolicyObjectives.Gmpo(),
            PolicyObjectives.Luspo(),
            PolicyObjectives.Vespo(),
            PolicyObjectives.Rloo(),
            PolicyObjectives.Reinforce(),
            PolicyObjectives.ReMax(),
            PolicyObjectives.ReinforcePlusPlus(),
            PolicyObjectives.Gpg(),
            PolicyObjectives.Dppo(),
            PolicyObjectives.ReinforcePlusPlus() with
            {
                Name = "REINFORCE++ baseline",
                Advantage = AdvantageMethod.ReinforcePlusPlusBaseline,
            },
            PolicyObjectives.Grpo() with
            {
                Name = "OPO",
                Advantage = AdvantageMethod.OptimalReward,
            },
            PolicyObjectives.Grpo() with
            {
                Name = "GDPO",
                Advantage = AdvantageMethod.PerComponent(("even", 1), ("length", 0.1)),
            },
        }.ToDictionary(objective => objective.Name);

    /// <summary>1 where the first token's id is even, about every second time.</summary>
    internal static IReward Even { get; } = Reward.Of("even", completion => completion.Tokens[0] % 2 == 0 ? 1 : 0);

    /// <summary>The same with another component of little weight.</summary>
    internal static IReward EvenAndLength { get; } =
        Reward.Weighted((1, Even), (0.01, Reward.Of("length", completion => completion.Tokens.Length)));

    internal static GrpoOptions Small { get; } =
        new()
        {
            Steps = 3,
            BatchSize = 2,
            GroupSize = 4,
            LearningRate = 1e-2,
            Sampling = new SamplingOptions { MaxNewTokens = 4 },
        };

    internal static Problem[] Problems { get; } = [new("0="), new("1+1="), new("2=")];

    internal static async Task<StepReport[]> Train(
        CausalLm model,
        IReward reward,
        GrpoOptions options,
        CausalLm? reference = null,
        Problem[]? problems = null,
        string? resume = null
    )
    {
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, reward, options with { Reference = reference });
        if (resume is not null)
            trainer.Resume(resume);
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync(problems ?? Problems))
            reports.Add(report);
        return [.. reports];
    }

    /// <summary>A reward of all completions of a call.</summary>
    internal sealed class OfAll(Func<IReadOnlyList<Completion>, double[]> score) : IReward
    {
        public string Name => "all";

        public ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        ) => ValueTask.FromResult(new RewardScores(score(completions), new Dictionary<string, double[]>()));
    }
}
