using System.Buffers;
using System.Runtime.Intrinsics;
using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Kernels;

/// <summary>Distillation losses with their gradients, row by row in CPU memory, without an autograd graph.</summary>
/// <remarks>Float32 and float64; computed in float64. Results are fresh, of the student's type, and the same bits for any number of
/// threads; the caller owns them.</remarks>
/// <exception cref="NotSupportedException">The logits are not on the CPU, or of a 16-bit type.</exception>
public static unsafe class DistillationKernels
{
    /// <summary>L = agg[τ²·D(softmax(z_T/τ), softmax(z_S/τ))], as <see cref="DistillationLosses.Distill"/>, for every divergence on the
    /// full vocabulary but one of one's own.</summary>
    /// <param name="studentLogits">z_S, [B,T,V].</param>
    /// <param name="teacherLogits">z_T, [B,T,V].</param>
    /// <param name="mask">[B,T]; 1 where the position counts.</param>
    /// <param name="options">Forward KL at temperature 1 when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    /// <exception cref="NotSupportedException">The options compare on a part of the vocabulary, or the divergence or the
    /// aggregation is one of one's own.</exception>
    public static TokenLossWithGradient Distill(
        Tensor studentLogits,
        Tensor teacherLogits,
        Tensor mask,
        DistillationObjective? options = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        options ??= new DistillationObjective();
        options.Check();
        ArgumentNullException.ThrowIfNull(mask);
        ClosedForms.Check(aggregation);
        Guard.Rank(studentLogits, nameof(studentLogits), 3, "[B,T,V]");
        Guard.Floating(studentLogits, nameof(studentLogits));
        Guard.Floating(teacherLogits, nameof(teacherLogits));
        KernelGuard.SameShape(teacherLogits, nameof(teacherLogits), studentLogits, nameof(studentLogits));
        if (mask.dim() != 2 || mask.size(0) != studentLogits.size(0) || mask.size(1) != studentLogits.size(1))
            throw new ArgumentException(
                $"mask has shape {Guard.Shape(mask)}, expected studentLogits' shape {Guard.Shape(studentLogits)} without its last "
                    + "dimension",
                nameof(mask)
            );
        if (studentLogits.size(2) == 0)
            throw new ArgumentException(
                $"studentLogits has shape {Guard.Shape(studentLogits)}, expected at least one component",
                nameof(studentLogits)
            );
        var type = KernelGuard.Number(studentLogits, nameof(studentLogits));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        if (options.Support != DistillationSupport.Full)
            throw new NotSupportedException($"support {options.Support} has no kernel; DistillationLosses.Distill has it");
        var call = new Call(studentLogits, teacherLogits, mask, options, aggregation, denominator);
        return options.Divergence switch
        {
            Divergence.SymmetricKlDivergence kl => Run(type, call, new KlForm(kl.ForwardWeight)),
            Divergence.GeneralizedJsdDivergence jsd => Run(type, call, new JensenShannonForm(jsd.Beta)),
            Divergence.TotalVariationDivergence => Run(type, call, default(TotalVariationForm)),
            _ => throw new NotSupportedException($"the divergence {options.Divergence} has no kernel; DistillationLosses.Distill has it"),
        };
    }

    private sealed record Call(
        Tensor Student,
        Tensor Teacher,
        Tensor Mask,
        DistillationObjective Options,
        LossAggregation? Aggregation,
        double? Denominator
    );

    private static TokenLossWithGradient Run<TForm>(ScalarType type, Call call, TForm form)
        where TForm : struct, IDivergenceForm =>
        type == ScalarType.Float32 ? Run<float, TForm>(call, form) : Run<double, TForm>(call, form);

    private static TokenLossWithGradient Run<T, TForm>(Call call, TForm form)
        where T : unmanaged
        where TForm : struct, IDivergenceForm
    {
        int width = checked((int)call.Student.size(2));
        long columns = call.Mask.size(1),
            rows = call.Mask.numel();
        Tensor losses = TensorMemory.Fresh(call.Mask, call.Student.dtype),
            gradient = TensorMemory.Fresh(call.Student);
        using var student = new NumberSource<T>(call.Student);
        using var teacher = new NumberSource<T>(call.Teacher);
        using var counts = new MaskSource<T>(call.Mask);
        var m = counts.Pointer;
        T* z = student.Pointer,
            t = teacher.Pointer,
            l = TensorMemory.Address<T>(losses),
            g = TensorMemory.Address<T>(gradient);
        var shares = TokenWeights.Of(call.Aggregation, call.Denominator, call.Mask, m);
        double[] rowShares = [.. Enumerable.Range(0, (int)call.Mask.size(0)).Select(row => shares.OfRow(m, row * columns, columns))];
        double temperature = call.Options.Temperature,
            scale = call.Options.ScaleByTemperatureSquared ? temperature * temperature : 1;
        var agrees = new bool[rows];
        Workers.Run(
            rows,
            call.Student.numel(),
            row =>
            {
                T* from = z + row * width,
                    other = t + row * width,
                    to = g + row * width;
                if (m.Get(row) == 0)
                {
                    Scalars.Set(l + row, 0);
                    new Span<T>(to, width).Clear();
                    return;
                }
                double max = SoftmaxRow.Max(from, width),
                    teacherMax = SoftmaxRow.Max(other, width);
                agrees[row] = First(from, max, width) == First(other, teacherMax, width);
                double weight = scale * rowShares[row / columns] / shares.Divisor;
                double loss = Row(from, max, other, teacherMax, to, width, temperature, weight, form);
                Scalars.Set(l + row, loss * scale);
            }
        );
        var (total, agreed, number) = (0.0, 0.0, 0.0);
        for (long row = 0; row < rows; row++)
        {
            double counted = m.Get(row);
            number += counted;
            if (counted == 0)
                continue;
            total += Scalars.Get(l + row) * rowShares[row / columns];
            if (agrees[row])
                agreed++;
        }
        return new TokenLossWithGradient(total / shares.Divisor, losses, gradient, agreed / Math.Max(number, 1));
    }

    // dD/dz = (G − q·Σ G)/τ with G = ∂D/∂log q.
    private static double Row<T, TForm>(
        T* student,
        double max,
        T* teacher,
        double teacherMax,
        T* to,
        int width,
        double temperature,
        double weight,
        TForm form
    )
        where T : unmanaged
        where TForm : struct, IDivergenceForm
    {
        double[] buffer = ArrayPool<double>.Shared.Rent(2 * width);
        fixed (double* q = buffer)
        {
            double* p = q + width;
            double logSum = Math.Log(Exponentials(student, max, temperature, q, width));
            double teacherLogSum = Math.Log(Exponentials(teacher, teacherMax, temperature, p, width));
            V inverse = Vector256.Create(1 / temperature),
                shift = Vector256.Create(max),
                teacherShift = Vector256.Create(teacherMax);
            V log = Vector256.Create(logSum),
                teacherLog = Vector256.Create(teacherLogSum),
                terms = V.Zero,
                slopes = V.Zero;
            V share = Vector256.Create(Math.Exp(-logSum)),
                teacherShare = Vector256.Create(Math.Exp(-teacherLogSum));
            for (int i = 0; i < width; i += V.Count)
            {
                long left = width - i;
                V now = Lanes.Load(q + i, left) * share,
                    wanted = Lanes.Load(p + i, left) * teacherShare;
                var logQ = (Lanes.Load(student + i, left) - shift) * inverse - log;
                var logP = (Lanes.Load(teacher + i, left) - teacherShift) * inverse - teacherLog;
                form.Of(now, logQ, wanted, logP, out var term, out var slope);
                var inside = Lanes.First(left);
                terms += Lanes.Where(inside, term);
                slopes += Lanes.Where(inside, slope);
                Lanes.Store(q + i, now, left);
                Lanes.Store(p + i, slope, left);
            }
            V sum = Vector256.Create(Vector256.Sum(slopes)),
                factor = Vector256.Create(weight / temperature);
            for (int i = 0; i < width; i += V.Count)
            {
                long left = width - i;
                Lanes.Store(to + i, (Lanes.Load(p + i, left) - Lanes.Load(q + i, left) * sum) * factor, left);
            }
            ArrayPool<double>.Shared.Return(buffer);
            return Vector256.Sum(terms);
        }
    }

    private static double Exponentials<T>(T* logits, double max, double temperature, double* to, int width)
        where T : unmanaged
    {
        V shift = Vector256.Create(max),
            inverse = Vector256.Create(1 / temperature),
            sum = V.Zero;
        for (int i = 0; i < width; i += V.Count)
        {
            long left = width - i;
            var exponential = Lanes.Exp((Lanes.Load(logits + i, left) - shift) * inverse);
            if (left < V.Count)
                exponential = Lanes.Where(Lanes.First(left), exponential);
            sum += exponential;
            Lanes.Store(to + i, exponential, left);
        }
        return Vector256.Sum(sum);
    }

    // The place of the first greatest logit.
    private static int First<T>(T* logits, double max, int width)
        where T : unmanaged =>
        typeof(T) == typeof(float)
            ? new ReadOnlySpan<float>(logits, width).IndexOf((float)max)
            : new ReadOnlySpan<double>(logits, width).IndexOf(max);
}
