using System.Buffers;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Distillation;

/// <summary>Arguments of <see cref="DistillationPass"/>, as <see cref="DistillationLosses.Distill"/> has them.</summary>
internal sealed record DistillationCall(
    Tensor Student,
    Tensor Teacher,
    Tensor Mask,
    DistillationObjective Options,
    LossAggregation? Aggregation,
    double? Denominator
)
{
    /// <summary>True if the pass can read these and has a form of the divergence.</summary>
    internal bool IsTaken =>
        Fused.Takes(Student)
        && Teacher.device_type == DeviceType.CPU
        && Mask.device_type == DeviceType.CPU
        && Options.Support == DistillationSupport.Full
        && DistillationPass.Takes(Options.Divergence)
        && TokenWeights.Takes(Aggregation);
}

/// <summary>Value and gradient of a distillation loss.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="Losses">Per-token losses, [B,T], 0 where nothing counts.</param>
/// <param name="Gradient">d Loss/d the student's logits, [B,T,V].</param>
/// <param name="Agreement">Share of the counted tokens at which both have the same greatest logit.</param>
internal sealed record DistillationResult(double Loss, Tensor Losses, Tensor Gradient, double Agreement);

/// <summary>Divergences between rows of logits with their gradients, row by row, in float64.</summary>
internal static unsafe class DistillationPass
{
    /// <summary>True if a divergence has a closed form here: all but those of one's own.</summary>
    internal static bool Takes(Divergence divergence) =>
        divergence is Divergence.SymmetricKlDivergence or Divergence.GeneralizedJsdDivergence or Divergence.TotalVariationDivergence;

    /// <summary>Runs over CPU memory; results are fresh tensors of the caller's scope.</summary>
    internal static DistillationResult Run(DistillationCall call) =>
        call.Options.Divergence switch
        {
            Divergence.SymmetricKlDivergence kl => Run(call, new KlForm(kl.ForwardWeight)),
            Divergence.GeneralizedJsdDivergence jsd => Run(call, new JensenShannonForm(jsd.Beta)),
            Divergence.TotalVariationDivergence => Run(call, default(TotalVariationForm)),
            _ => throw new NotSupportedException($"the divergence {call.Options.Divergence} has no closed form"),
        };

    private static DistillationResult Run<TForm>(DistillationCall call, TForm form)
        where TForm : struct, IDivergenceForm =>
        call.Student.dtype == ScalarType.Float32 ? Run<float, TForm>(call, form) : Run<double, TForm>(call, form);

    private static DistillationResult Run<T, TForm>(DistillationCall call, TForm form)
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
        double[] rowShares = shares.OfRows(m, call.Mask.size(0), columns);
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
                Scalars.Set(l + row, Row(from, max, other, teacherMax, to, width, temperature, weight, form) * scale);
            }
        );
        var (loss, agreement) = shares.AddUp(m, l, agrees, rowShares);
        return new DistillationResult(loss, losses, gradient, agreement);
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
