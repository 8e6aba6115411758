using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression;

/// <summary>What a linear layer's inputs were in calibration, summed over all of them: what GPTQ, AWQ, SmoothQuant, Wanda, SparseGPT and
/// activation-aware decompositions ask for.</summary>
/// <remarks>Add the inputs of one batch after the other. The peers of these methods divide by the number of sequences, not of tokens; a
/// batch without a sequence dimension counts as one.</remarks>
public sealed class LayerStatistics : IDisposable
{
    private readonly Tensor squares;
    private readonly Tensor magnitudes;
    private readonly Tensor largest;
    private readonly Tensor? gram;
    private readonly List<Tensor> samples = [];
    private readonly int sampleLimit;

    /// <summary>Nothing seen so far.</summary>
    /// <param name="features">The layer's inputs, at least 1.</param>
    /// <param name="type">Type of the sums; float32 as the peers, or float64.</param>
    /// <param name="device">Where the sums are; null: the CPU.</param>
    /// <param name="keepsGram">Whether Σ x xᵀ is kept, features² numbers.</param>
    /// <param name="samples">Most inputs that are kept as they are, at least 0.</param>
    public LayerStatistics(
        long features,
        ScalarType type = ScalarType.Float32,
        Device? device = null,
        bool keepsGram = true,
        int samples = 0
    )
    {
        Guard.AtLeast(features, 1, nameof(features));
        Guard.AtLeast(samples, 0, nameof(samples));
        if (type is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"type is {type}, expected Float32 or Float64", nameof(type));
        (Features, sampleLimit) = (features, samples);
        squares = New(features);
        magnitudes = New(features);
        largest = New(features);
        gram = keepsGram ? New(features, features) : null;

        Tensor New(params long[] shape) => zeros(shape, dtype: type, device: device).DetachFromDisposeScope();
    }

    /// <summary>The layer's inputs.</summary>
    public long Features { get; }

    /// <summary>Sequences seen.</summary>
    public long Sequences { get; private set; }

    /// <summary>Tokens seen.</summary>
    public long Tokens { get; private set; }

    /// <summary>Σ x², [features].</summary>
    public Tensor SquaredSum => squares;

    /// <summary>The largest |x| of each feature, [features].</summary>
    public Tensor Absmax => largest;

    /// <summary>Σ x xᵀ, [features, features].</summary>
    /// <exception cref="InvalidOperationException">It was not kept.</exception>
    public Tensor Gram =>
        gram ?? throw new InvalidOperationException("the products of the inputs were not kept: calibrate with Gram = true");

    /// <summary>Some of the inputs, [n, features], fresh; null where none were kept.</summary>
    public Tensor? Samples => samples.Count == 0 ? null : cat(samples, 0);

    /// <summary>Takes in the inputs of a call: [..., features]; a tensor of three dimensions is [sequences, tokens, features].</summary>
    /// <exception cref="ArgumentException">The last dimension is another.</exception>
    public void Add(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.dim() == 0 || input.size(-1) != Features || !input.is_floating_point())
            throw new ArgumentException(
                $"input is {input.dtype} of shape {Guard.Shape(input)}, expected floating point of [..., {Features}]",
                nameof(input)
            );
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var x = input.detach().reshape(-1, Features).to(squares.dtype, squares.device);
        if (x.size(0) == 0)
            return;
        Sequences += input.dim() <= 2 ? 1 : input.numel() / (input.size(-1) * input.size(-2));
        Tokens += x.size(0);
        squares.add_(x.square().sum([0L]));
        magnitudes.add_(x.abs().sum([0L]));
        largest.copy_(largest.maximum(x.abs().amax([0L])));
        gram?.add_(x.t().mm(x));
        var room = sampleLimit - samples.Sum(kept => kept.size(0));
        if (room > 0)
            samples.Add(x.narrow(0, 0, Math.Min(room, x.size(0))).clone().DetachFromDisposeScope());
    }

    /// <summary>Mean |x| of each feature over the tokens, [features], fresh.</summary>
    public Tensor MeanMagnitude() => magnitudes / (double)Math.Max(1, Tokens);

    /// <summary>Σ x² / sequences of each feature, [features], fresh: Wanda's statistic.</summary>
    public Tensor FeatureNormSquared() => squares / (double)Math.Max(1, Sequences);

    /// <summary>2/sequences · Σ x xᵀ, fresh: the Hessian of the layer's squared output error (GPTQ, eq. 1).</summary>
    /// <exception cref="InvalidOperationException"><see cref="Gram"/> was not kept.</exception>
    public Tensor Hessian() => Gram * (2.0 / Math.Max(1, Sequences));

    /// <summary>Mean squared change of the layer's outputs over the tokens when its weight changes by Δ [out,in]: tr(Δ Σxxᵀ Δᵀ) / (tokens
    /// · out).</summary>
    public double OutputError(Tensor change)
    {
        Guard.Rank(change, nameof(change), 2, "[out, in]");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var delta = change.detach().to(squares.dtype, squares.device);
        return (delta.mm(Gram) * delta).sum().ToDouble() / ((double)Math.Max(1, Tokens) * change.size(0));
    }

    /// <summary>Frees the sums.</summary>
    public void Dispose()
    {
        squares.Dispose();
        magnitudes.Dispose();
        largest.Dispose();
        gram?.Dispose();
        samples.ForEach(kept => kept.Dispose());
        samples.Clear();
    }
}
