using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>Laws that a token loss should satisfy, for the library's losses or your own. Each compares the loss and gradients of two
/// computations that must agree.</summary>
/// <remarks>
/// A broken law does not throw: the <see cref="LawResult"/> gives the error (<see cref="LawResult.Demand"/> throws). Not every loss
/// satisfies every law: a mean over the tokens of a micro-batch breaks the first by design, as does a loss with a baseline over the batch.
/// Inputs are not changed, and all tensors are disposed. Finite differences need float64; the other laws take any type with a suitable
/// tolerance.
/// </remarks>
public static class LossLaws
{
    private const double Rounding = 1e-10;

    /// <summary>Tests the laws that need only the subject: permutation, padding, masked values and differences; with a denominator also
    /// micro-batches and dropping.</summary>
    /// <param name="subject">The loss and its batch.</param>
    /// <exception cref="ArgumentException">A tensor does not have the axes it declares.</exception>
    public static IReadOnlyList<LawResult> All(LossSubject subject)
    {
        LawResult[] general = [Permutation(subject), Padding(subject), MaskedValues(subject), GradientVersusDifferences(subject)];
        return subject.Denominator is null ? general : [.. general, MicroBatch(subject), MaskEqualsDropping(subject)];
    }

    /// <summary>Tests that parts of the batch, each divided by the denominator of the whole, sum to the whole: single rows, the first row
    /// and the rest, and halves.</summary>
    /// <param name="subject">The loss and its batch; it has a denominator.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    public static LawResult MicroBatch(LossSubject subject, double tolerance = Rounding)
    {
        var whole = Begin(subject);
        double denominator = WholeDenominator(subject);
        long[] rows = RowsOf(subject);
        long[][][] splits =
        [
            [.. rows.Select(row => new[] { row })],
            [rows[..1], rows[1..]],
            [rows[..(rows.Length / 2)], rows[(rows.Length / 2)..]],
        ];
        return splits
            .Select(split =>
                Trial
                    .Run(
                        subject,
                        batch => split.Where(part => part.Length > 0).Select(part => batch.Rows(part) with { Denominator = denominator })
                    )
                    .Against(whole, "micro-batch", tolerance)
            )
            .Aggregate(Worst);
    }

    /// <summary>Tests that the order of the rows does not matter: reversed, and rotated by one.</summary>
    /// <param name="subject">The loss and its batch.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    public static LawResult Permutation(LossSubject subject, double tolerance = Rounding)
    {
        var whole = Begin(subject);
        long[] rows = RowsOf(subject);
        return new long[][] { [.. rows.Reverse()], [.. rows[1..], .. rows[..1]] }
            .Select(order => Trial.Run(subject, batch => [batch.Rows(order)]).Against(whole, "permutation", tolerance))
            .Aggregate(Worst);
    }

    /// <summary>Tests that additional columns on the right that do not count change nothing, whatever they hold.</summary>
    /// <param name="subject">The loss and its batch.</param>
    /// <param name="columns">Number of columns, at least 1.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    public static LawResult Padding(LossSubject subject, int columns = 3, double tolerance = Rounding)
    {
        Numerics.Guard.AtLeast(columns, 1, nameof(columns));
        var whole = Begin(subject);
        return Trial.Run(subject, batch => [batch.Padded(columns)]).Against(whole, "padding", tolerance);
    }

    /// <summary>Tests that values where the mask does not count, NaN by default, change neither the loss nor a gradient.</summary>
    /// <param name="subject">The loss and its batch.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    public static LawResult MaskedValues(LossSubject subject, double tolerance = Rounding) =>
        Trial.Run(subject, prepare: batch => batch.Poisoned()).Against(Begin(subject), "masked values", tolerance);

    /// <summary>Tests that masking equals removing: rows reduced to their counted columns, over the whole batch's denominator, sum to the
    /// whole.</summary>
    /// <remarks>For losses whose positions are independent; a loss with a discount over time breaks it if the mask has gaps.</remarks>
    /// <param name="subject">The loss and its batch; it has a denominator.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    public static LawResult MaskEqualsDropping(LossSubject subject, double tolerance = Rounding)
    {
        var whole = Begin(subject);
        double denominator = WholeDenominator(subject);
        return Trial
            .Run(
                subject,
                batch =>
                    RowsOf(subject)
                        .Select(row => (Row: batch.Rows(row), Columns: batch.Mask[row].nonzero().squeeze(-1)))
                        .Where(part => part.Columns.numel() > 0)
                        .Select(part => part.Row.Columns(part.Columns) with { Denominator = denominator })
            )
            .Against(whole, "mask equals dropping", tolerance);
    }

    /// <summary>Tests that all counted positions packed into one row give the same result as in their own rows. For losses that weight all
    /// tokens equally.</summary>
    /// <param name="subject">The loss and its batch; it has a denominator and no tensor of <see cref="LossAxes.Row"/>.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    /// <exception cref="ArgumentException">A tensor belongs to rows: a packed row has many.</exception>
    public static LawResult Packing(LossSubject subject, double tolerance = Rounding)
    {
        if (subject.Batch.Tensors.FirstOrDefault(pair => pair.Value.Axes == LossAxes.Row) is { Key: { } name })
            throw new ArgumentException(
                $"{name} has the axes Row, expected Token or Shared: expand it over the positions",
                nameof(subject)
            );
        var whole = Begin(subject);
        double denominator = WholeDenominator(subject);
        return Trial.Run(subject, batch => [batch.Packed() with { Denominator = denominator }]).Against(whole, "packing", tolerance);
    }

    /// <summary>Tests that the same constant added to the given tensors changes nothing, as for a loss of log-ratios.</summary>
    /// <param name="subject">The loss and its batch.</param>
    /// <param name="names">The tensors, for instance the policy's log-probs and the reference's.</param>
    /// <param name="shift">The constant.</param>
    /// <param name="tolerance">1e-10 by default.</param>
    /// <exception cref="KeyNotFoundException">The batch has no tensor with one of the names.</exception>
    public static LawResult ReferenceShift(
        LossSubject subject,
        IReadOnlyCollection<string> names,
        double shift = 1.75,
        double tolerance = Rounding
    )
    {
        foreach (string name in names)
            _ = subject.Batch[name];
        var whole = Begin(subject);
        return Trial
            .Run(subject, prepare: batch => batch.Map((name, item) => names.Contains(name) ? item.Value + shift : item.Value))
            .Against(whole, "reference shift", tolerance);
    }

    /// <summary>Tests that one thread and several give the same result. Changes the thread count of the process: run nothing else
    /// meanwhile.</summary>
    /// <param name="subject">The loss and its batch; large enough for work to be shared (some ten thousand numbers).</param>
    /// <param name="threads">Number of threads to compare with one, at least 2.</param>
    /// <param name="tolerance">1e-10 by default; sums in a different order differ in their last digits.</param>
    public static LawResult ThreadCount(LossSubject subject, int threads = 2, double tolerance = Rounding)
    {
        Numerics.Guard.AtLeast(threads, 2, nameof(threads));
        int before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Begin(subject);
            set_num_threads(threads);
            return Trial.Run(subject).Against(one, "thread count", tolerance);
        }
        finally
        {
            set_num_threads(before);
        }
    }

    /// <summary>Tests the gradients against the central differences (f(x + h) − f(x − h)) / 2h, element by element.</summary>
    /// <remarks>They differ where the function has a kink or stops a gradient on purpose. Costs two evaluations of the loss per
    /// element.</remarks>
    /// <param name="subject">The loss and its batch; the differentiable tensors are float64.</param>
    /// <param name="step">h, above 0. 1e-5 by default: rounding and the third derivative each contribute about 1e-11.</param>
    /// <param name="tolerance">1e-7 by default.</param>
    /// <exception cref="ArgumentException">A differentiable tensor is not float64, or no tensor is differentiable.</exception>
    public static LawResult GradientVersusDifferences(LossSubject subject, double step = 1e-5, double tolerance = 1e-7)
    {
        Numerics.Guard.Positive(step, nameof(step));
        foreach (var (name, item) in subject.Batch.Tensors)
            if (item.Differentiable && item.Value.dtype != ScalarType.Float64)
                throw new ArgumentException($"{name} has type {item.Value.dtype}, expected Float64", nameof(subject));
        var analytic = Begin(subject);
        if (analytic.Gradients.Count == 0)
            throw new ArgumentException("no tensor is differentiable, expected at least one", nameof(subject));
        var result = new LawResult("gradient versus differences", 0, tolerance, "no element");
        foreach (var (name, gradient) in analytic.Gradients)
            for (int i = 0; i < gradient.Length; i++)
            {
                double numeric = (At(subject, name, i, step) - At(subject, name, i, -step)) / (2 * step);
                result = Trial.Worse(result, Trial.Distance(gradient[i], numeric), $"the gradient of {name}, element {i}");
            }
        return result;
    }

    private static double At(LossSubject subject, string name, int element, double shift)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return subject
            .Loss(
                subject.Batch.Map(
                    (key, item) =>
                    {
                        if (key != name)
                            return item.Value;
                        var moved = item.Value.detach().contiguous().clone();
                        moved.view(-1)[element] += shift;
                        return moved;
                    }
                )
            )
            .ToDouble();
    }

    private static Trial Begin(LossSubject subject)
    {
        subject.Check();
        return Trial.Run(subject);
    }

    private static long[] RowsOf(LossSubject subject) =>
        [.. Enumerable.Range(0, (int)subject.Batch.Mask.shape[0]).Select(row => (long)row)];

    private static double WholeDenominator(LossSubject subject) =>
        subject.Denominator is { } denominator
            ? denominator(subject.Batch.Mask)
            : throw new ArgumentException(
                "the subject has no Denominator, expected one: parts of a batch are divided by the whole batch's",
                nameof(subject)
            );

    private static LawResult Worst(LawResult first, LawResult second) => Trial.Worse(first, second.Error, second.Worst);
}
