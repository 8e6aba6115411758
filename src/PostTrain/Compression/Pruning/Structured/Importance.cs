using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>The importance of a decoder's layers and heads on given texts.</summary>
public static class Importance
{
    /// <summary>Computes the change made by each layer: 1 − the mean cosine between its inputs and its outputs (block influence: Men et al.
    /// 2024, arXiv:2403.03853, eq. 1).</summary>
    /// <param name="model">The model; it is in evaluation mode meanwhile.</param>
    /// <param name="batches">Ids, [B,T], int64, without padding.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    /// <returns>One number per layer, from 0 to 2; the layer with the least changes least and is removed first.</returns>
    /// <exception cref="ArgumentException">There is no batch.</exception>
    public static double[] OfLayers(
        Decoder model,
        IEnumerable<Tensor> batches,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        var names = ModuleNames.Of(model.Config);
        var modules = model.named_modules().ToDictionary(item => item.name, item => item.module, StringComparer.Ordinal);
        // What a layer's first norm sees is what the layer sees; what the last norm sees is what the last layer gave.
        string[] norms =
        [
            .. Enumerable.Range(0, model.Config.Layers).Select(i => $"{names.Backbone}.{names.Layers}.{i}.{names.AttentionNorm}"),
            $"{names.Backbone}.{names.FinalNorm}",
        ];
        var sums = new double[model.Config.Layers];
        var tokens = 0L;
        Tensor? before = null;
        var hooks = norms
            .Select<string, Action>(
                (name, i) =>
                    ((nn.Module<Tensor, Tensor>)modules[name])
                        .register_forward_pre_hook(
                            (_, input) =>
                            {
                                using var scope = NewDisposeScope();
                                var x = input.detach().to_type(ScalarType.Float64);
                                if (i > 0)
                                    sums[i - 1] += nn.functional.cosine_similarity(before!, x, -1, 1e-12).sum().ToDouble();
                                before?.Dispose();
                                before = x.clone().DetachFromDisposeScope();
                                return input;
                            }
                        )
                        .remove
            )
            .ToList();
        var training = model.training;
        try
        {
            model.eval();
            using var mode = no_grad();
            Each(
                batches,
                batch =>
                {
                    tokens += batch.NumberOfElements;
                    using var hidden = model.Hidden(batch);
                },
                progress,
                cancellation
            );
        }
        finally
        {
            hooks.ForEach(remove => remove());
            before?.Dispose();
            model.train(training);
        }

        return [.. sums.Select(sum => 1 - sum / tokens)];
    }

    /// <summary>Computes the first-order effect of each key-value head with its query heads: the sum over batches of |∂loss/∂gate| for a
    /// gate of 1 on the head's output (Michel et al. 2019, arXiv:1905.10650, eq. 2); the loss is the mean negative log-probability of the
    /// next token.</summary>
    /// <param name="model">The model; it is in evaluation mode meanwhile, and its parameters get no gradient.</param>
    /// <param name="batches">Ids, [B,T], int64, T at least 2, without padding.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    /// <returns>[layer][head]; the least goes first.</returns>
    /// <exception cref="ArgumentException">There is no batch.</exception>
    public static double[][] OfHeads(
        Decoder model,
        IEnumerable<Tensor> batches,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        var config = model.Config;
        var names = ModuleNames.Of(config);
        var modules = model.named_modules().ToDictionary(item => item.name, item => item.module, StringComparer.Ordinal);
        var sums = Enumerable.Range(0, config.Layers).Select(_ => new double[config.KeyValueHeads]).ToArray();
        var gates = new Tensor[config.Layers];
        var width = config.Heads / config.KeyValueHeads * config.HeadSize;
        var hooks = Enumerable
            .Range(0, config.Layers)
            .Select<int, Action>(i =>
                ((nn.Module<Tensor, Tensor>)modules[$"{names.Backbone}.{names.Layers}.{i}.{names.Attention}.{names.AttentionOutput}"])
                    .register_forward_pre_hook(
                        (_, input) =>
                        {
                            using var scope = NewDisposeScope();
                            return (input * gates[i].to_type(input.dtype).repeat_interleave(width)).MoveToOuterDisposeScope();
                        }
                    )
                    .remove
            )
            .ToList();
        var training = model.training;
        var trained = model.parameters().Where(parameter => parameter.requires_grad).ToList();
        try
        {
            model.eval();
            trained.ForEach(parameter => parameter.requires_grad = false);
            using var mode = enable_grad();
            Each(batches, Add, progress, cancellation);
        }
        finally
        {
            hooks.ForEach(remove => remove());
            trained.ForEach(parameter => parameter.requires_grad = true);
            model.train(training);
        }

        return sums;

        void Add(Tensor batch)
        {
            Guard.AtLeast(batch.size(1), 2, "T of a batch");
            for (var i = 0; i < gates.Length; i++)
                gates[i] = ones(config.KeyValueHeads, dtype: ScalarType.Float32, device: batch.device).requires_grad_(true);
            var logits = model.call(batch);
            var length = batch.size(1) - 1;
            var loss = nn.functional.cross_entropy(
                logits.narrow(1, 0, length).reshape(-1, logits.size(2)).AtLeastSingle(),
                batch.narrow(1, 1, length).reshape(-1)
            );
            loss.backward();
            for (var i = 0; i < gates.Length; i++)
            {
                var gradient = gates[i].grad!.abs().cpu().data<float>().ToArray();
                for (var head = 0; head < gradient.Length; head++)
                    sums[i][head] += gradient[head];
            }
        }
    }

    private static void Each(
        IEnumerable<Tensor> batches,
        Action<Tensor> use,
        IProgress<CompressionProgress>? progress,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(batches);
        int? total = batches.TryGetNonEnumeratedCount(out var known) ? known : null;
        var done = 0;
        foreach (var batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            Guard.Rank(batch, nameof(batches), 2, "ids [B,T]");
            using (NewDisposeScope())
                use(batch);
            done++;
            progress?.Report(new CompressionProgress(done, total));
        }

        if (done == 0)
            throw new ArgumentException("batches is empty, expected at least one batch of token ids", nameof(batches));
    }
}
