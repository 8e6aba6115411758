using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression;

/// <summary>Statistics of the inputs of a model's linear layers, collected by hooks while texts of the user run through it.</summary>
/// <remarks>The layers see what the model that runs gives them: to take the error of the layers before into account (as GPTQ's authors do),
/// calibrate and compress one block after the other, with <see cref="CalibrationOptions.Targets"/>.</remarks>
public sealed class Calibration : IDisposable
{
    private readonly Dictionary<string, LayerStatistics> layers = new(StringComparer.Ordinal);

    private Calibration() { }

    /// <summary>Names of the layers.</summary>
    public IReadOnlyCollection<string> Names => layers.Keys;

    /// <summary>A layer's statistics; they belong to the calibration.</summary>
    /// <exception cref="ArgumentException">It was not calibrated.</exception>
    public LayerStatistics this[string layer] =>
        layers.TryGetValue(layer, out var found)
            ? found
            : throw new ArgumentException(
                $"the layer '{layer}' was not calibrated, only [{string.Join(", ", layers.Keys)}]",
                nameof(layer)
            );

    /// <summary>Runs batches of token ids through a language model.</summary>
    /// <param name="model">The model; it is in evaluation mode meanwhile, and no gradient is recorded.</param>
    /// <param name="batches">Ids, [B,T], int64, without padding: every position counts. They stay the caller's.</param>
    /// <param name="options">Which layers and which sums.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    /// <exception cref="ArgumentException">There is no batch, or a target names no layer.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing is kept.</exception>
    public static Calibration Run(
        CausalLm model,
        IEnumerable<Tensor> batches,
        CalibrationOptions? options = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batches);
        int? total = batches.TryGetNonEnumeratedCount(out var known) ? known : null;
        return Observe(
            model,
            () =>
            {
                var done = 0;
                foreach (var batch in batches)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Guard.Rank(batch, nameof(batches), 2, "ids [B,T]");
                    using var scope = NewDisposeScope();
                    model.call(batch);
                    done++;
                    progress?.Report(new CompressionProgress(done, total));
                }

                if (done == 0)
                    throw new ArgumentException("batches is empty, expected at least one batch of token ids", nameof(batches));
            },
            options
        );
    }

    /// <summary>Runs sequences of token ids of any lengths, one by one.</summary>
    /// <inheritdoc cref="Run(CausalLm, IEnumerable{Tensor}, CalibrationOptions?, IProgress{CompressionProgress}?, CancellationToken)"/>
    public static Calibration Run(
        CausalLm model,
        IReadOnlyList<int[]> sequences,
        CalibrationOptions? options = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(sequences);
        if (sequences.Any(sequence => sequence is not { Length: > 0 }))
            throw new ArgumentException("sequences holds an empty one, expected at least one id in each", nameof(sequences));
        return Run(model, new Batches(sequences), options, progress, cancellation);
    }

    /// <summary>Any module while the caller runs it.</summary>
    /// <param name="model">A tree of linear layers; it is in evaluation mode meanwhile, and no gradient is recorded.</param>
    /// <param name="run">Calls the model on whatever it is to be calibrated with.</param>
    /// <param name="options">Which layers and which sums.</param>
    /// <exception cref="ArgumentException">A target names no layer.</exception>
    public static Calibration Observe(nn.Module model, Action run, CalibrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        options ??= new CalibrationOptions();
        options.Validate();
        var sites = LayerSite.Of(model, options.Targets, options.Exclude);
        var calibration = new Calibration();
        var hooks = new List<Action>();
        var training = model.training;
        try
        {
            foreach (var site in sites)
            {
                var type = site.Leaf.Type == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
                var statistics = new LayerStatistics(site.Leaf.Inputs, type, site.Leaf.Device, options.Gram, options.Samples);
                calibration.layers.Add(site.Name, statistics);
                hooks.Add(
                    site.Module.register_forward_pre_hook(
                        (_, input) =>
                        {
                            statistics.Add(input);
                            return input;
                        }
                    ).remove
                );
            }

            model.eval();
            using (no_grad())
                run();
            return calibration;
        }
        catch
        {
            calibration.Dispose();
            throw;
        }
        finally
        {
            hooks.ForEach(remove => remove());
            model.train(training);
        }
    }

    /// <summary>Frees all statistics.</summary>
    public void Dispose()
    {
        foreach (var statistics in layers.Values)
            statistics.Dispose();
        layers.Clear();
    }

    // A list whose tensors live for one pass of the loop.
    private sealed class Batches(IReadOnlyList<int[]> sequences) : IReadOnlyCollection<Tensor>
    {
        public int Count => sequences.Count;

        public IEnumerator<Tensor> GetEnumerator()
        {
            foreach (var sequence in sequences)
            {
                using var ids = tensor(Array.ConvertAll(sequence, id => (long)id)).unsqueeze(0);
                yield return ids;
            }
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
