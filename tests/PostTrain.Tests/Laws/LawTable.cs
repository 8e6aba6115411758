using PostTrain.Laws;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>What the tables of losses under the laws share.</summary>
internal static class LawTable
{
    internal const string MicroBatch = "micro-batch",
        Dropping = "mask equals dropping",
        Differences = "gradient versus differences";

    // What a constant can be taken off: log-probabilities, logits, rewards, values.
    private static readonly string[] Scales =
    [
        "logProbs",
        "old",
        "reference",
        "chosen",
        "rejected",
        "referenceChosen",
        "referenceRejected",
        "gold",
        "student",
        "teacher",
        "teacherLogProbs",
        "first",
        "second",
        "values",
        "returns",
        "rewards",
        "logits",
    ];

    /// <summary>Rows of 5, 2 and 1 counted positions and one of 3 with a hole.</summary>
    internal static Tensor Mask() =>
        tensor(
            new double[,]
            {
                { 1, 1, 1, 1, 1 },
                { 1, 1, 0, 0, 0 },
                { 1, 0, 0, 0, 0 },
                { 1, 0, 1, 1, 0 },
            }
        );

    /// <summary>The same with nothing in the third row.</summary>
    internal static Tensor MaskWithEmptyRow() =>
        tensor(
            new double[,]
            {
                { 1, 1, 1, 1, 1 },
                { 1, 1, 0, 0, 0 },
                { 0, 0, 0, 0, 0 },
                { 1, 0, 1, 1, 0 },
            }
        );

    internal static LossSubject Subject(
        Func<LossBatch, Tensor> loss,
        Tensor mask,
        Func<Tensor, double>? denominator,
        params (string Name, LossTensor Tensor)[] tensors
    ) => new(loss, new LossBatch(tensors.ToDictionary(pair => pair.Name, pair => pair.Tensor), mask), denominator);

    /// <summary>Exactly the named laws are broken.</summary>
    internal static void Demand(LossSubject subject, params string[] broken) => Demand(subject, hessian: true, broken);

    /// <summary>The same; a weight without a gradient can leave the gradient as it should be and not the Hessian.</summary>
    internal static void Demand(LossSubject subject, bool hessian, params string[] broken)
    {
        var results = LossLaws.All(subject);
        Assert.Equal(subject.Denominator is null ? 4 : 6, results.Count);
        foreach (var result in results)
            Assert.True(result.Holds != broken.Contains(result.Law), result.ToString());
        SecondOrder(subject, compare: hessian && !broken.Contains(Differences));
        Extremes(subject);
    }

    /// <summary>The gradient has a gradient, and it is the Hessian's: along a direction it is what differences of the gradient
    /// give.</summary>
    private static void SecondOrder(LossSubject subject, bool compare)
    {
        const double step = 1e-5;
        using var scope = NewDisposeScope();
        var names = subject.Batch.Tensors.Where(pair => pair.Value.Differentiable).Select(pair => pair.Key).ToArray();
        var start = names.ToDictionary(name => name, name => subject.Batch[name].detach());
        var direction = names.Select((name, i) => Numbers.Uniform(100 + i, 1, [.. start[name].shape])).ToArray();

        Tensor[] Leaves(double shift) => [.. names.Select((name, i) => (start[name] + direction[i] * shift).detach().requires_grad_(true))];
        Tensor[] Gradient(Tensor[] leaves)
        {
            var batch = subject.Batch with
            {
                Tensors = subject.Batch.Tensors.ToDictionary(
                    pair => pair.Key,
                    pair => Array.IndexOf(names, pair.Key) is >= 0 and var i ? pair.Value with { Value = leaves[i] } : pair.Value
                ),
            };
            return Numbers.GradientGraph(subject.Loss(batch), leaves);
        }

        var leaves = Leaves(0);
        var first = Gradient(leaves)
            .Zip(direction)
            .Where(pair => pair.First.requires_grad)
            .Select(pair => (pair.First * pair.Second).sum())
            .ToArray();
        // A loss that is linear in its inputs has none.
        if (first.Length == 0)
            return;
        var product = Numbers.GradientGraph(first.Aggregate((a, b) => a + b), leaves);
        foreach (var value in product)
            Assert.True(value.isfinite().all().ToBoolean(), "the second derivative is not finite");
        if (!compare)
            return;
        var (above, below) = (Gradient(Leaves(step)), Gradient(Leaves(-step)));
        for (int i = 0; i < product.Length; i++)
            TensorAssert.Close((above[i] - below[i]) / (2 * step), product[i], 1e-6, $"the Hessian of {names[i]} along a direction");
    }

    /// <summary>Log-probabilities, logits and rewards of −1e4, all alike, give finite losses and gradients.</summary>
    private static void Extremes(LossSubject subject)
    {
        using var scope = NewDisposeScope();
        var leaves = new Dictionary<string, Tensor>();
        var batch = subject.Batch with
        {
            Tensors = subject.Batch.Tensors.ToDictionary(
                pair => pair.Key,
                pair =>
                {
                    var value = Scales.Contains(pair.Key) ? pair.Value.Value.detach() - 1e4 : pair.Value.Value.detach();
                    if (pair.Value.Differentiable)
                        leaves[pair.Key] = value = value.detach().requires_grad_(true);
                    return pair.Value with { Value = value };
                }
            ),
        };
        var loss = subject.Loss(batch);
        Assert.True(double.IsFinite(loss.ToDouble()), $"the loss is {loss.ToDouble()} at -1e4");
        if (loss.requires_grad)
            loss.backward();
        foreach (var (name, leaf) in leaves)
            Assert.True(leaf.grad is null || leaf.grad.isfinite().all().ToBoolean(), $"the gradient of {name} is not finite at -1e4");
    }
}
