using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Where PPO with a KL penalty ends: at π_ref·e^{r/β}/Z, with the value β·log Z, on trees of tokens that can be
/// enumerated.</summary>
public sealed class PpoOptimumTests
{
    private const double Beta = 0.5;
    private const string Prompt = "0=";
    private static readonly int[] Alphabet = Toy.Tokenizer.Encode("abc");

    // At the optimum r − β·log(π/π_ref) is β·log Z for every sequence: with a critic that knows it all advantages are 0, so that sampling
    // noise vanishes too.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Run_KlInTheReward_ReachesTheRlhfOptimum(int depth)
    {
        var tree = new TokenTree(Alphabet.Length, depth);
        double[] rewards = depth == 1 ? [0, 1, 0.5] : [0.2, 1, 0, 0, 0.7, 0.1, 0.9, 0, 0.4];
        using var policy = Toy.Model(seed: 1);
        using var reference = Toy.Model(seed: 1);
        using var critic = ValueHead.WithOwnBody(Toy.Model(seed: 2));
        var reward = Reward.Of(
            "table",
            completion =>
                rewards[completion.Tokens.Aggregate(0, (index, token) => index * Alphabet.Length + Array.IndexOf(Alphabet, token))]
        );
        var options = new PpoOptions
        {
            Steps = 160,
            BatchSize = 128,
            UpdatesPerBatch = 4,
            Minibatches = 2,
            LearningRate = 1e-2,
            Schedule = LearningRateSchedule.Linear,
            Kl = KlControl.Fixed(Beta),
            Lambda = 1,
            WhitenAdvantages = false,
            ValueClip = null,
            ValueCoefficient = 1,
            CriticWarmupSteps = 10,
            Objective = PolicyObjectives.Ppo() with { Aggregation = PostTrain.Numerics.LossAggregation.SequenceMeanOfSums },
            Sampling = new SamplingOptions
            {
                MaxNewTokens = depth,
                SuppressedTokens = [.. Enumerable.Range(0, Toy.Tokenizer.VocabularySize).Except(Alphabet)],
            },
        };
        using (var trainer = new PpoTrainer(policy, Toy.Tokenizer, reward, options with { Critic = critic, Reference = reference }))
            await foreach (var _ in trainer.RunAsync([new Problem(Prompt)])) { }

        using var scope = NewDisposeScope();
        var table = tensor(rewards);
        Tensor before = Logits(reference, tree),
            after = Logits(policy, tree);
        var optimum = Optima.Rlhf(tree, before, table, Beta);
        double Distance(Tensor logits) => (ExactPolicy.LogProbs(tree, logits).exp() - optimum.LogProbs.exp()).abs().sum().ToDouble() / 2;
        double reached = (ExactPolicy.Objective(tree, after, table) - ExactPolicy.Kl(tree, after, before) * Beta).ToDouble(),
            best = optimum.Value.ToDouble();
        Assert.True(Distance(before) > 0.2, $"the reference is {Distance(before)} away from the optimum already");
        Assert.True(Distance(after) < 0.02, $"TV(π, π*) is {Distance(after)}");
        Assert.InRange(reached, best - 0.01 * Math.Abs(best), best + 1e-9);
    }

    // What the model says after each prefix, of the alphabet's tokens only.
    private static Tensor Logits(CausalLm model, TokenTree tree)
    {
        var rows = new List<double[]>();
        for (int level = 0, count = 1; level < tree.Depth; level++, count *= tree.Vocabulary)
        for (int prefix = 0; prefix < count; prefix++)
        {
            int[] tokens = level == 0 ? [] : [.. new TokenTree(tree.Vocabulary, level).Tokens(prefix).Select(token => Alphabet[token])];
            var logProbs = Toy.LogProbs(model, [.. Toy.Tokenizer.Encode(Prompt), .. tokens])[^1];
            rows.Add([.. Alphabet.Select(token => logProbs[token])]);
        }
        return stack([.. rows.Select(row => tensor(row))]);
    }
}
