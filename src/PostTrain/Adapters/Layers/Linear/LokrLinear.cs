using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>ΔW = s·W₁ ⊗ W₂. With x as a matrix [in₁,in₂], ΔW x is W₁ x W₂ᵀ; the Kronecker product is never formed.</summary>
internal sealed class LokrLinear : DeltaAdapter
{
    private readonly double scale;

    [ComponentName(Name = "lokr_w1")]
    private readonly Parameter? whole1;

    [ComponentName(Name = "lokr_w1_a")]
    private readonly Parameter? left1;

    [ComponentName(Name = "lokr_w1_b")]
    private readonly Parameter? right1;

    [ComponentName(Name = "lokr_w2")]
    private readonly Parameter? whole2;

    [ComponentName(Name = "lokr_w2_a")]
    private readonly Parameter? left2;

    [ComponentName(Name = "lokr_w2_b")]
    private readonly Parameter? right2;

    public LokrLinear(Leaf leaf, LokrOptions options, AdapterRandom random)
        : base("lokr", leaf, options.RankDropout, options.ModuleDropout, options.ScaleRankDropout)
    {
        (var rank, scale) = options.Of(leaf.Name);
        using var scope = NewDisposeScope();
        var ((out1, out2), (in1, in2)) = (Factors(leaf.Outputs, options.Factor), Factors(leaf.Inputs, options.Factor));
        var (zero1, zero2) = (options.Start == LokrStart.Left, options.Start == LokrStart.Right);
        if (options.DecomposeBoth && rank < Math.Max(out1, in1) / 2.0)
            (left1, right1) = (Start([out1, rank], zero1), Start([rank, in1], false));
        else
            whole1 = Start([out1, in1], zero1);
        if (rank < Math.Max(out2, in2) / 2.0)
            (left2, right2) = (Start([out2, rank], false), Start([rank, in2], zero2));
        else
            whole2 = Start([out2, in2], zero2);
        RegisterComponents();

        Parameter Start(long[] shape, bool zero) =>
            Trained(leaf, zero ? random.Zeros(shape, TypeFor(leaf)) : random.Kaiming(shape, TypeFor(leaf)));
    }

    public override IEnumerable<StoredTensor> Stored() =>
        new (string Name, Parameter? Tensor)[]
        {
            ("lokr_w1", whole1),
            ("lokr_w1_a", left1),
            ("lokr_w1_b", right1),
            ("lokr_w2", whole2),
            ("lokr_w2_a", left2),
            ("lokr_w2_b", right2),
        }
            .Where(item => item.Tensor is not null)
            .Select(item => new StoredTensor(item.Name, item.Tensor!));

    /// <summary>Returns m·n = size with m ≤ n: m is the given factor if it divides, otherwise the largest divisor up to it for which m + n
    /// still falls.</summary>
    internal static (long M, long N) Factors(long size, int factor)
    {
        if (factor > 0 && size % factor == 0)
            return (Math.Min(factor, size / factor), Math.Max(factor, size / factor));
        var limit = factor == -1 ? size : factor;
        var (m, n) = (1L, size);
        var length = m + n;
        while (m < n)
        {
            var next = m + 1;
            while (size % next != 0)
                next++;
            if (next + (size / next) > length || next > limit)
                break;
            (m, n) = (next, size / next);
        }

        return (Math.Min(m, n), Math.Max(m, n));
    }

    protected override Tensor Delta() => First().kron(Second()) * scale;

    protected override Tensor Product(Tensor x)
    {
        var (first, second) = (First(), Second());
        var shape = x.shape;
        var mixed = first.matmul(x.reshape(-1, first.size(1), second.size(1))).matmul(second.t());
        return (mixed * scale).reshape([.. shape[..^1], first.size(0) * second.size(0)]);
    }

    private Tensor First() => whole1 ?? left1!.mm(right1!);

    private Tensor Second() => whole2 ?? left2!.mm(right2!);
}
