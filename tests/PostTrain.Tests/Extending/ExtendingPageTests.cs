using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Laws;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Extending;

/// <summary>The programs of docs/extending.md, as they stand there.</summary>
// The console belongs to the process.
[Collection("Sequential")]
public sealed partial class ExtendingPageTests
{
    private static readonly PreferencePair[] Pairs = [new("0=", "ab", "b"), new("1+1=", "a", "bcd"), new("2=", "aab", "ba")];

    [Fact]
    public void Page_ShowsWhatStandsHere()
    {
        var page = File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "extending.md"));
        var here = Condensed(
            string.Concat(
                Directory
                    .GetFiles(Path.Combine(RepositoryFolder.Root, "tests", "PostTrain.Tests", "Extending"), "*.cs")
                    .Select(File.ReadAllText)
            )
        );
        var blocks = Regex.Matches(page, "```csharp\n(.*?)```", RegexOptions.Singleline).Select(match => match.Groups[1].Value).ToArray();
        Assert.Equal(10, blocks.Length);
        // Statements and the types behind them stand in a method and outside of it.
        Assert.All(
            blocks.SelectMany(block => Types().Split(block)),
            part => Assert.Contains(Condensed(part), here, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void PreferenceLoss_Trains_AndKeepsTheLaws()
    {
        using var scope = NewDisposeScope();
        using var output = new Captured();
        using var model = Toy.Model();
        using var frozen = Toy.Model();
        var (tokenizer, pairs, reference) = (Toy.Tokenizer, Pairs, ReferencePolicy.Of(frozen));
        var squaredHinge = DpoLoss.Of("squared hinge", (scores, beta) => (1 - scores.Difference() * beta).relu().square());
        using var trainer = new DpoTrainer(
            model,
            tokenizer,
            reference,
            new DpoOptions
            {
                Steps = 3,
                BatchSize = 2,
                Loss = squaredHinge,
            }
        );
        foreach (var report in trainer.Run(pairs))
            Console.WriteLine($"{report.Step}  loss {report.Loss:F3}  margin {report.Metrics["reward/margin"]:F3}");
        // (1 − 0)² while policy and reference agree.
        Assert.StartsWith("1  loss 1.000  margin 0.000", output.Text, StringComparison.Ordinal);

        var example = new LossBatch(
            new Dictionary<string, LossTensor>
            {
                ["chosen"] = new(Numbers.Uniform(1, 1, 4, 5), Differentiable: true),
                ["rejected"] = new(Numbers.Uniform(2, 1, 4), LossAxes.Row, true),
                ["referenceChosen"] = new(Numbers.Uniform(3, 1, 4, 5)),
                ["referenceRejected"] = new(Numbers.Uniform(4, 1, 4), LossAxes.Row),
            },
            Numbers.Mask(5, 5, 2, 1, 3)
        );
        output.Clear();
        var subject = new LossSubject(
            batch =>
                PreferenceLosses
                    .Dpo(Policy(batch), Reference(batch), new DpoObjective { Loss = squaredHinge }, denominator: batch.Denominator)
                    .Loss,
            example,
            mask => mask.shape[0]
        );
        foreach (var law in LossLaws.All(subject))
            Console.WriteLine(law);
        Assert.Equal(6, output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.All(LossLaws.All(subject), law => Assert.True(law.Holds, law.ToString()));
    }

    [Fact]
    public async Task SurrogateAndAdvantage_Train()
    {
        using var output = new Captured();
        using var model = Toy.Model();
        using var frozen = Toy.Model();
        var (tokenizer, reward, problems, reference) = (Toy.Tokenizer, GrpoRuns.Even, GrpoRuns.Problems, ReferencePolicy.Of(frozen));
        var capped = PolicySurrogate.Of("capped ratio", inputs => -inputs.Exponent.exp().clamp_max(2) * inputs.Advantages);
        var behind = AdvantageMethod.OfRewards(
            "behind the best",
            (rewards, size) => (rewards.view(-1, size) - rewards.view(-1, size).amax([1], true)).view(-1),
            leastGroup: 2
        );
        var objective = PolicyObjectives.Grpo() with
        {
            Name = "capped, behind the best",
            Surrogate = capped,
            Advantage = behind,
            Beta = 0.02,
        };
        using var trainer = new GrpoTrainer(
            model,
            tokenizer,
            reward,
            new GrpoOptions
            {
                Steps = 3,
                BatchSize = 2,
                GroupSize = 4,
                Objective = objective,
                Reference = reference,
            }
        );
        await foreach (var report in trainer.RunAsync(problems))
            Console.WriteLine($"{report.Step}  reward {report.Metrics["reward/mean"]:F3}  kl {report.Metrics["kl"]:F4}");
        Assert.Matches(@"^1  reward [01]\.\d{3}  kl 0\.0000\n2  reward [01]\.\d{3}  kl -?\d\.\d{4}\n3  ", output.Text);
    }

    [Fact]
    public void OwnLoop_LosesNothing()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model();
        using var other1 = Toy.Model();
        var (tokenizer, frozen, sampling) = (
            Toy.Tokenizer,
            ReferencePolicy.Of(other1),
            new SamplingOptions { MaxNewTokens = 4, Temperature = 0.7 }
        );
        int[][] prompts = [tokenizer.Encode("0="), tokenizer.Encode("1+1=")];
        var advantages = tensor(new[] { 1.0f, -1 });
        var before = Toy.Bytes(model);
        using var rollouts = Sampler.Generate(model, prompts, sampling, seed: 1, tokenizer);
        using var optimization = new Optimization(model, new SftOptions { Steps = 1, LearningRate = 1e-3 });
        var rows = rollouts.Rows(0, prompts.Length);
        var referenceLogProbs = frozen.Ask(other => CompletionScores.Of(other, rows, sampling).LogProbs);
        optimization.Update(
            1,
            _ =>
            {
                var scores = CompletionScores.Of(model, rows, sampling);
                var policy = PolicyLosses.ClippedSurrogate(scores.LogProbs, rows.LogProbs, advantages, rows.CompletionMask, clip: 0.2);
                return policy.Loss
                    + 0.05
                        * Masked.Mean(KlDivergence.Estimate(scores.LogProbs, referenceLogProbs, rows.CompletionMask), rows.CompletionMask);
            }
        );
        // The frozen model has the weights of the sampler's: its log-probs are those that were recorded, to the bit.
        TensorAssert.Same(rows.LogProbs, referenceLogProbs);
        Assert.NotEqual(before, Toy.Bytes(model));
    }

    private static PairLogProbs Policy(LossBatch batch) =>
        new((batch["chosen"] * (batch.Mask != 0)).nan_to_num().sum(1L), batch["rejected"]);

    private static PairLogProbs Reference(LossBatch batch) =>
        new((batch["referenceChosen"].masked_fill(batch.Mask == 0, 0)).sum(1L), batch["referenceRejected"]);

    // Without white space and commas before a closing bracket: a page has fewer lines than a formatted source.
    private static string Condensed(string code) => Trailing().Replace(Space().Replace(code, ""), "$1");

    [GeneratedRegex(@"^(?=sealed )", RegexOptions.Multiline)]
    private static partial Regex Types();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@",([})\]])")]
    private static partial Regex Trailing();

    // What a program prints.
    internal sealed class Captured : IDisposable
    {
        private readonly TextWriter before = Console.Out;
        private StringWriter text = new();

        internal Captured() => Console.SetOut(text);

        internal string Text => text.ToString().ReplaceLineEndings("\n");

        internal void Clear() => Console.SetOut(text = new StringWriter());

        public void Dispose() => Console.SetOut(before);
    }
}
