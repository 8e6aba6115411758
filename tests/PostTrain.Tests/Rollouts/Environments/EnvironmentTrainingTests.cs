using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Policy.Critics;
using PostTrain.Policy.Losses;
using PostTrain.Preference.Online;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts.Environments;

/// <summary>Trainers on completions of several turns.</summary>
[Collection("Sequential")]
public sealed class EnvironmentTrainingTests
{
    private static readonly GrpoOptions Turns = GrpoRuns.Small with
    {
        Steps = 2,
        Environment = new EnvironmentOptions(TrainerVariants.Echo) { MaxTurns = 3, MaxTurnTokens = 2 },
        Sampling = new SamplingOptions { MaxNewTokens = 10 },
    };

    /// <summary>The log-probs of the policy's tokens are training's, bit for bit, and those of observations are 0.</summary>
    [Fact]
    public async Task LogProbs_EqualTrainings_BitForBit()
    {
        using var model = Toy.Model();
        using var trainer = new Looking(model, Turns);
        await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
            Assert.InRange(report.Metrics["completion/turns"], 1.2, 3);
        Assert.True(trainer.Observed > 0, "no observation was seen");
        Assert.Equal(2, trainer.Steps);
    }

    /// <summary>Nothing of a step depends on log-probs of observations: a policy that finds them impossible learns the same.</summary>
    [Fact]
    public async Task OnlyThePolicysTokens_Count()
    {
        using var model = Toy.Model();
        using var batch = await Draw(model);
        using var scope = NewDisposeScope();
        var rows = batch.Rows(0, batch.Completions.Count);
        var advantages = linspace(-1, 1, batch.Completions.Count);
        Tensor Gradient(Tensor logProbs) =>
            Numbers.Gradient(
                x => PolicyObjectives.Grpo().Loss(new PolicyBatch(x, rows.LogProbs, advantages, rows.CompletionMask)).Loss,
                logProbs
            );
        var observed = rows.CompletionMask == 0;
        var gradient = Gradient(rows.LogProbs);
        TensorAssert.Zero(gradient.masked_select(observed), "gradient of observations");
        TensorAssert.Same(gradient, Gradient(rows.LogProbs.masked_fill(observed, double.NegativeInfinity)));
    }

    [Fact]
    public void TheStateAfterTheLastToken_IsFoundBehindHoles()
    {
        using var scope = NewDisposeScope();
        // Tokens, an observation of two, a token; the completion did not end: its rest is worth V of the state after column 3.
        var mask = tensor(
            new double[,]
            {
                { 1, 0, 0, 1, 0 },
            }
        );
        var states = tensor(
            new double[,]
            {
                { 0, 9, 9, 0, 5, 9 },
            }
        );
        var options = new PpoOptions
        {
            BootstrapUnfinished = true,
            WhitenAdvantages = false,
            Gamma = 0.5,
            Lambda = 1,
        };
        var estimate = PpoRewards.Advantages(zeros_like(mask), states, [false], mask, options);
        // The step after the first token is the second one, whose own step leads to 5: ½·5, and ¼·5.
        TensorAssert.Close([1.25, 0, 0, 2.5, 0], estimate.Returns, 1e-15);
    }

    [Fact]
    public async Task Rewards_SeeTurns_AndTheLastOne()
    {
        var completion = new Completion(new Problem("1+2="), "add 1 2=33", [1], true) { Turns = ["add 1 2", "3"] };
        Assert.Equal("3", completion.LastTurn);
        Assert.Equal("x", (completion with { Turns = [], Text = "x" }).LastTurn);
        var exact = Reward.Of("three", item => item.Text == "3" ? 1 : 0);
        Assert.Equal(new double[] { 0 }, (await Scoring.ScoreCheckedAsync(exact, [completion], new RewardContext(0, 1))).Values);
        Assert.Equal(
            new double[] { 1 },
            (await Scoring.ScoreCheckedAsync(exact.OfLastTurn(), [completion], new RewardContext(0, 1))).Values
        );
    }

    [Fact]
    public void AnOpponentWithoutTheEnvironment_IsRefused()
    {
        using var model = Toy.Model();
        var options = new OnlineDpoOptions
        {
            Method = OnlineMethod.Xpo(0.1),
            GroupSize = 2,
            Reference = ReferencePolicy.Of(model),
            Environment = Turns.Environment,
        };
        Assert.Equal("Environment", Assert.Throws<ArgumentException>(options.Validate).ParamName);
    }

    private static async Task<RolloutBatch> Draw(CausalLm model)
    {
        int[][] prompts = [.. GrpoRuns.Problems.SelectMany(problem => Enumerable.Repeat(Toy.Tokenizer.Encode(problem.Prompt), 4))];
        var source = RolloutEnvironment.Source(RolloutSource.Of(model, Toy.Tokenizer), Turns.Environment!, Toy.Tokenizer);
        var samples = await source.CollectAsync(RolloutRequest.Of(model, prompts, Turns.Sampling, 3));
        return RolloutBatch.Of(prompts, samples, Toy.Tokenizer.PaddingId);
    }

    private sealed class Looking(CausalLm policy, GrpoOptions options) : RolloutTrainer(policy, Toy.Tokenizer, GrpoRuns.Even, options)
    {
        internal int Observed { get; private set; }

        internal int Steps { get; private set; }

        protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
        {
            var drawn = await DrawAsync(current, current.Prompts.Take(2));
            var rows = drawn.Rollouts.Rows(0, drawn.Completions.Count);
            Steps++;
            return Optimization.Update(
                1,
                _ =>
                {
                    using var scope = NewDisposeScope();
                    var logProbs = CompletionScores.Of(Policy, rows, Sampling).LogProbs;
                    TensorAssert.Same(rows.LogProbs, logProbs, "log-probs");
                    for (int row = 0; row < drawn.Completions.Count; row++)
                    for (int i = 0; i < drawn.Rollouts.Completions[row].Length; i++)
                        if (drawn.Rollouts.Drawn?[row]?[i] == false)
                        {
                            Observed++;
                            Assert.Equal(0, rows.CompletionMask[row, i].ToSingle());
                            Assert.Equal(0, rows.LogProbs[row, i].ToSingle());
                            Assert.Equal(1, rows.AttentionMask[row, drawn.Rollouts.PromptLength + i].ToInt64());
                        }
                    return (logProbs.sum() * 0.01).MoveToOuterDisposeScope();
                }
            );
        }
    }
}
