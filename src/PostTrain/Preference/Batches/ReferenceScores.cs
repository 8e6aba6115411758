using PostTrain.Models;
using PostTrain.Training;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Batches;

/// <summary>The reference of a trainer on fixed data. It runs in each step, or once for the whole data set. If the options say so, it
/// follows
/// the policy (TR-DPO) and is part of the run's checkpoints.</summary>
internal sealed class ReferenceScores : ITrainerState
{
    private readonly ReferencePolicy reference;
    private readonly ReferenceOptions options;
    private readonly CausalLm? moving;
    private long moved = -1;

    private ReferenceScores(ReferencePolicy reference, ReferenceOptions options)
    {
        this.reference = reference;
        this.options = options;
        moving = options.ReferenceSyncEvery > 0 ? reference.Own : null;
    }

    /// <summary>The scores of a reference; null where there is none.</summary>
    /// <exception cref="ArgumentException">The reference has to follow the policy, but is not a separate model.</exception>
    internal static ReferenceScores? Of(ReferencePolicy? reference, ReferenceOptions options)
    {
        if (options.ReferenceSyncEvery > 0 && reference?.Own is null)
            throw new ArgumentException(
                $"ReferenceSyncEvery is {options.ReferenceSyncEvery}, which needs a reference that is a model of its own",
                nameof(reference)
            );
        return reference is null ? null : new ReferenceScores(reference, options);
    }

    /// <summary>True if the reference moves, so that checkpoints have to hold it.</summary>
    internal bool Moves => moving is not null;

    public IReadOnlyDictionary<string, double> Values { get; } = new Dictionary<string, double>();

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors =>
        [.. moving!.named_parameters().Select(item => ($"reference.{item.name}", (Tensor)item.parameter))];

    /// <summary>Computes the numbers of all examples of a data set if the options say so; otherwise returns null.</summary>
    /// <param name="ranks">The ranks, which share the examples.</param>
    /// <param name="count">Examples.</param>
    /// <param name="sums">The model's numbers of some examples, [K,n].</param>
    /// <returns>K lists. Plain numbers: they live as long as the data, and no tensor has to.</returns>
    internal double[][]? Precompute(Ranks ranks, int count, Func<CausalLm, int[], Tensor> sums)
    {
        if (!options.PrecomputeReference)
            return null;
        return reference.Ask(model =>
        {
            using var scope = NewDisposeScope();
            int[][] chunks = [.. Enumerable.Range(0, count).Chunk(options.MicroBatchSize ?? options.BatchSize)];
            double[][][] parts =
            [
                .. ranks
                    .Each(chunks.Length, part => sums(model, chunks[part]).to_type(ScalarType.Float64).cpu().contiguous())
                    .Zip(chunks, (part, indices) => part.data<double>().ToArray().Chunk(indices.Length).ToArray()),
            ];
            return Enumerable.Range(0, parts[0].Length).Select(k => parts.SelectMany(part => part[k]).ToArray()).ToArray();
        });
    }

    /// <summary>Selects the numbers of a batch from the result of <see cref="Precompute"/>, [K,B].</summary>
    internal static Tensor? Known(double[][]? precomputed, IReadOnlyList<int> indices) =>
        precomputed is null
            ? null
            : tensor(precomputed.SelectMany(values => indices.Select(index => values[index])).ToArray())
                .reshape(precomputed.Length, indices.Count);

    /// <summary>Returns the reference's numbers of some rows of a batch, [K,n]: the precomputed ones, or those of a forward pass.</summary>
    /// <param name="known">[K,B] of the whole batch, or null.</param>
    /// <param name="start">First row.</param>
    /// <param name="like">The policy's numbers, [n].</param>
    /// <param name="sums">Computes a model's numbers of these rows, [K,n].</param>
    internal Tensor KnownOrAsked(Tensor? known, int start, Tensor like, Func<CausalLm, Tensor> sums) =>
        known?.narrow(1, start, like.shape[0]).to(like.dtype, like.device) ?? reference.Ask(sums).to(like.device);

    /// <summary>Moves the reference towards the policy before a step, once even if the step is tried again.</summary>
    internal void Follow(CausalLm policy, long step)
    {
        if (moving is null || step == 0 || step % options.ReferenceSyncEvery != 0 || moved == step)
            return;
        ReferenceSync.Blend(moving.parameters(), policy.parameters(), options.ReferenceMix);
        moved = step;
    }

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        var targets = Tensors;
        foreach (var (name, target) in targets)
            if (!tensors.TryGetValue(name, out var kept) || !kept.shape.SequenceEqual(target.shape))
                throw new InvalidDataException(
                    $"tensor {name} of the reference is missing or of another shape, expected [{string.Join(",", target.shape)}]"
                );
        if (tensors.Keys.Except(targets.Select(item => item.Name)).FirstOrDefault() is { } surplus)
            throw new InvalidDataException($"tensor {surplus} belongs to no parameter of the reference");
        using var mode = no_grad();
        foreach (var (name, target) in targets)
            target.copy_(tensors[name]);
        moved = -1;
    }
}
