using PostTrain.Adapters;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>LoftQ (Li et al. 2023, arXiv:2310.08659, algorithm 1): quantised weight and LoRA's start are found together, in turns:
/// Q = quantise(W − BA), then BA = the best approximation of rank r of W − Q.</summary>
public static class Loftq
{
    /// <summary>The start of one weight.</summary>
    /// <param name="weight">[out,in].</param>
    /// <param name="rank">r, from 1 to the smaller side.</param>
    /// <param name="quantizer">The quantisation of a weight; it must need no statistics.</param>
    /// <param name="iterations">Turns, at least 1; the first quantises W itself.</param>
    /// <remarks>The factors share the singular values' square roots; of them only the product BA is fixed.</remarks>
    /// <exception cref="ArgumentException">Not a matrix of finite numbers.</exception>
    public static LoftqStart Start(Tensor weight, int rank, IQuantizer quantizer, int iterations = 1)
    {
        QuantizedTensor.CheckInput(weight, nameof(weight));
        Guard.Rank(weight, nameof(weight), 2, "[out, in]");
        ArgumentNullException.ThrowIfNull(quantizer);
        Guard.AtLeast(iterations, 1, nameof(iterations));
        Guard.AtLeast(rank, 1, nameof(rank));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, Math.Min(weight.size(0), weight.size(1)));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var w = weight.detach().AtLeastSingle();
        QuantizedTensor? quantized = null;
        Tensor? a = null,
            b = null,
            rest = null;
        for (var i = 0; i < iterations; i++)
        {
            quantized?.Dispose();
            quantized = quantizer.Checked(a is null ? w : w - b!.mm(a), null);
            rest = w - quantized.Dequantize().to_type(w.dtype);
            var (u, s, vh) = linalg.svd(rest.cpu(), false);
            var root = s.narrow(0, 0, rank).sqrt();
            b = (u.narrow(1, 0, rank) * root).to(w.device);
            a = (vh.narrow(0, 0, rank) * root.unsqueeze(1)).to(w.device);
        }

        return new LoftqStart(
            quantized! with
            {
                Type = weight.dtype,
            },
            a!.MoveToOuterDisposeScope(),
            b!.MoveToOuterDisposeScope(),
            (rest! - b!.mm(a!)).norm().ToDouble()
        );
    }

    /// <summary>Quantises the targets of LoRA's options in a model, and gives the options back with the start that makes up for the error:
    /// attach an adapter with them and the model is the unquantised one as nearly as the rank allows.</summary>
    /// <param name="model">The model, without adapters.</param>
    /// <param name="lora">Targets, ranks and scales; the start is divided by each scale, so that it acts in full.</param>
    /// <param name="quantizer">The quantisation of a weight.</param>
    /// <param name="iterations">Turns, at least 1.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Stops between two layers, and nothing has changed then.</param>
    /// <returns>The options, and bytes and errors (of Ŵ without BA) of each layer.</returns>
    /// <exception cref="ArgumentException">As <see cref="ModelQuantization.Apply"/>.</exception>
    public static (LoraOptions Lora, QuantizationReport Report) Apply(
        nn.Module model,
        LoraOptions lora,
        IQuantizer quantizer,
        int iterations = 1,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(lora);
        ArgumentNullException.ThrowIfNull(quantizer);
        lora.Validate();
        var sites = LayerSite.Of(model, lora.Targets, lora.Exclude);
        LayerSite.CheckReplaceable(model, sites);
        var factors = new Dictionary<string, (Tensor A, Tensor B)>(StringComparer.Ordinal);
        var weights = new Queue<QuantizedTensor>();
        try
        {
            foreach (var site in sites)
            {
                cancellation.ThrowIfCancellationRequested();
                using var mode = no_grad();
                using var scope = NewDisposeScope();
                var (rank, scale) = lora.Of(site.Name);
                var start = Start(site.Leaf.Values(), rank, quantizer, iterations);
                weights.Enqueue(start.Weight);
                var root = Math.Sqrt(scale);
                factors.Add(site.Name, ((start.A / root).DetachFromDisposeScope(), (start.B / root).DetachFromDisposeScope()));
                progress?.Report(new CompressionProgress(factors.Count, sites.Count, site.Name));
            }
        }
        catch
        {
            foreach (var weight in weights)
                weight.Dispose();
            foreach (var (a, b) in factors.Values)
            {
                a.Dispose();
                b.Dispose();
            }

            throw;
        }

        // The layers are the targets' in the same order, and each is quantised already.
        var report = ModelQuantization.Apply(
            model,
            Quantizer.Of(quantizer.Name, _ => weights.Dequeue()),
            new QuantizationOptions { Targets = lora.Targets, Exclude = lora.Exclude },
            cancellation: CancellationToken.None
        );
        return (lora with { Initialization = LoraInitialization.Given(factors) }, report);
    }
}
