using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>The values of a loss and its gradients.</summary>
internal sealed record Trial(double Loss, IReadOnlyDictionary<string, double[]> Gradients)
{
    /// <summary>Evaluates the loss on parts of the batch and adds them up.</summary>
    /// <param name="subject">The loss.</param>
    /// <param name="parts">Maps the batch, whose differentiable tensors are leaves of the graph, to parts made by differentiable
    /// operations, so that the gradients have the batch's own layout.</param>
    /// <param name="prepare">Changes the values before they become leaves.</param>
    internal static Trial Run(
        LossSubject subject,
        Func<LossBatch, IEnumerable<LossBatch>>? parts = null,
        Func<LossBatch, LossBatch>? prepare = null
    )
    {
        using var scope = NewDisposeScope();
        using var mode = enable_grad();
        var batch = (prepare is null ? subject.Batch : prepare(subject.Batch)).Map(
            (_, item) => item.Differentiable ? item.Value.detach().clone().requires_grad_(true) : item.Value.detach()
        );
        double total = 0;
        foreach (var part in parts?.Invoke(batch) ?? [batch])
        {
            var loss = subject.Loss(part);
            if (loss.numel() != 1)
                throw new ArgumentException($"the loss has shape [{string.Join(", ", loss.shape)}], expected a scalar", nameof(subject));
            if (loss.requires_grad)
                loss.backward();
            total += loss.detach().to_type(ScalarType.Float64).ToDouble();
        }
        return new Trial(
            total,
            batch.Tensors.Where(pair => pair.Value.Differentiable).ToDictionary(pair => pair.Key, pair => Gradient(pair.Value.Value))
        );
    }

    internal LawResult Against(Trial expected, string law, double tolerance)
    {
        var worst = new LawResult(law, Distance(Loss, expected.Loss), tolerance, "the loss");
        foreach (var (name, gradient) in Gradients)
            for (int i = 0; i < gradient.Length; i++)
                worst = Worse(worst, Distance(gradient[i], expected.Gradients[name][i]), $"the gradient of {name}, element {i}");
        return worst;
    }

    internal static double Distance(double actual, double expected) =>
        actual.Equals(expected) ? 0 : Math.Abs(actual - expected) / (1 + Math.Abs(expected));

    // A NaN is worse than any number.
    internal static LawResult Worse(LawResult known, double error, string place) =>
        double.IsNaN(known.Error) || error <= known.Error ? known : known with { Error = error, Worst = place };

    private static double[] Gradient(Tensor leaf) =>
        leaf.grad is { } gradient
            ? [.. gradient.detach().cpu().to_type(ScalarType.Float64).contiguous().reshape(-1).data<double>()]
            : new double[leaf.numel()];
}
