using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training.Penalties;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Penalties;

public sealed class FisherInformationTests
{
    private static readonly double[] Logits = [.. Enumerable.Range(0, 20).Select(i => Math.Sin(i * 1.3))];

    // Contexts of the learnt tokens: '=' twice, '1' once.
    private static SequenceBatch Data => SequenceBatch.Of([Example("=1", 1), Example("2=11", 2)], 0);

    [Fact]
    public void Exact_OfATableOfLogits_IsThePredictionsVariance()
    {
        using var scope = NewDisposeScope();
        using var model = new BigramLm(Logits);
        using var fisher = FisherInformation.Exact(model, Data);
        double[] values = Numbers.Values(fisher.Values["table"]);
        double total = Logits.Sum(Math.Exp);
        int one = Toy.Tokenizer.Encode("1")[0];
        for (int row = 0; row < 20; row++)
        for (int token = 0; token < 20; token++)
        {
            // ∂ log π(v)/∂z_i = 1[v = i] − p_i, so that its mean square is p(1 − p).
            double p = row == BigramLm.Row ? Math.Exp(Logits[token]) / total : 1 / 20.0,
                share = row == BigramLm.Row ? 2 / 3.0
                : row == one ? 1 / 3.0
                : 0;
            Assert.Equal(share * p * (1 - p), values[row * 20 + token], 12);
        }
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is null || parameter.grad.abs().sum().ToDouble() == 0));
    }

    [Fact]
    public void Exact_DoesNotReadTheTargets_AsTheEmpiricalOneDoes()
    {
        using var scope = NewDisposeScope();
        using var model = new BigramLm(Logits);
        using var fisher = FisherInformation.Exact(model, Data);
        using var other = FisherInformation.Exact(model, SequenceBatch.Of([Example("=3", 1), Example("2=14", 2)], 0));
        TensorAssert.Same(fisher.Values["table"], other.Values["table"]);
    }

    [Fact]
    public void Sampled_IsTheExactOneOnAverage()
    {
        using var scope = NewDisposeScope();
        using var model = new BigramLm(Logits);
        using var exact = FisherInformation.Exact(model, Data);
        var draws = Enumerable
            .Range(0, 30)
            .Select(seed =>
            {
                using var sampled = FisherInformation.Sampled(model, Data, samples: 8, seed: (ulong)seed);
                return Numbers.Values(sampled.Values["table"]);
            })
            .ToArray();
        double[] truth = Numbers.Values(exact.Values["table"]);
        double total = Logits.Sum(Math.Exp);
        for (int token = 0; token < 20; token++)
        {
            // Of one draw the variance is p(1 − p)(1 − 2p)²; two of three contexts are this row's, each with 8 draws in 30 runs.
            double p = Math.Exp(Logits[token]) / total,
                variance = p * (1 - p) * (1 - 2 * p) * (1 - 2 * p) * 2 / 9 / 8 / 30,
                mean = draws.Average(draw => draw[BigramLm.Row * 20 + token]);
            Assert.InRange(
                mean,
                truth[BigramLm.Row * 20 + token] - 4 * Math.Sqrt(variance),
                truth[BigramLm.Row * 20 + token] + 4 * Math.Sqrt(variance)
            );
        }
        Assert.NotEqual(draws[0], draws[1]);
        using var again = FisherInformation.Sampled(model, Data, 8, 0);
        Assert.Equal(draws[0], Numbers.Values(again.Values["table"]));
    }

    [Fact]
    public void Exact_IsTheCurvatureOfTheDivergence()
    {
        // KL(π_θ ‖ π_θ+δe) = δ²F/2 + O(δ³) for a single parameter.
        using var scope = NewDisposeScope();
        using var model = Toy.Model(type: ScalarType.Float64);
        var data = SequenceBatch.Of([Example("1+2=3", 4)], 0);
        using var fisher = FisherInformation.Exact(model, data);
        var (name, parameter) = model.named_parameters().First(item => item.name.Contains("down_proj", StringComparison.Ordinal));
        const double delta = 1e-2;
        using var mode = no_grad();
        for (int i = 0; i < 3; i++)
        {
            Tensor Distribution() => model.Project(model.Hidden(data.Inputs, data.AttentionMask))[0][3].log_softmax(-1);
            var before = Distribution();
            parameter[i][i].add_(delta);
            var plus = Distribution();
            parameter[i][i].add_(-2 * delta);
            var minus = Distribution();
            parameter[i][i].add_(delta);
            double Kl(Tensor other) => (before.exp() * (before - other)).sum().ToDouble();
            double curvature = (Kl(plus) + Kl(minus)) / (delta * delta),
                expected = fisher.Values[name][i][i].ToDouble();
            Assert.InRange(curvature / expected, 0.999, 1.001);
        }
    }

    [Fact]
    public void NothingToLearn_AndNothingTrained_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model();
        Assert.Throws<ArgumentException>(() => FisherInformation.Exact(model, SequenceBatch.Of([Example("1+", 2)], 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => FisherInformation.Sampled(model, Data, 0, 1));
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        Assert.Throws<ArgumentException>(() => FisherInformation.Exact(model, Data));
    }

    private static TokenExample Example(string text, int prompt) => new(Toy.Tokenizer.Encode(text), prompt);
}
