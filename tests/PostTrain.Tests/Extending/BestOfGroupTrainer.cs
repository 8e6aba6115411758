using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Extending;

/// <summary>Expert iteration: the best completion of each prompt becomes more likely, by less in each step.</summary>
public sealed class BestOfGroupTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, GrpoOptions options)
    : RolloutTrainer(policy, tokenizer, reward, options)
{
    private readonly Share share = new();

    protected override ITrainerState State => share;

    protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
    {
        var drawn = await DrawAsync(current, current.Prompts.Take(options.BatchSize));
        current.Metrics["share"] = share.Value;
        var report = Optimization.Update(1, _ => Loss(drawn) * share.Value);
        share.Value *= 0.9;
        return report;
    }

    private Tensor Loss(JudgedRollouts drawn)
    {
        using var scope = NewDisposeScope();
        var rewards = tensor(drawn.Scores.Values).view(-1, options.GroupSize);
        var isBest = rewards.eq(rewards.amax([1], true)).view(-1, 1);
        var rows = drawn.Rollouts.Rows(0, drawn.Completions.Count);
        var mask = rows.CompletionMask * isBest.to(rows.CompletionMask.dtype, rows.CompletionMask.device);
        return Masked.Mean(-CompletionScores.Of(Policy, rows, Sampling).LogProbs, mask).MoveToOuterDisposeScope();
    }

    private sealed class Share : ITrainerState
    {
        public double Value { get; set; } = 1;

        public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double> { ["share"] = Value };

        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [];

        public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors) =>
            Value = values["share"];
    }
}
