using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>Biases of sequences as tensors, by length, so that all rows and all sequences of a length are compared at once.</summary>
internal sealed class SequenceBiasTable : IDisposable
{
    private readonly List<(Tensor? Prefixes, Tensor Last, Tensor Bias)> lengths = [];

    /// <exception cref="ArgumentException">A sequence is empty, holds an id outside the vocabulary, or its bias is NaN or +∞.</exception>
    public SequenceBiasTable(IReadOnlyList<SequenceBias> biases, int vocabularySize, Device device)
    {
        Check(biases, vocabularySize);
        using var scope = NewDisposeScope();
        foreach (var group in biases.GroupBy(item => item.Tokens.Count))
        {
            SequenceBias[] items = [.. group];
            var prefix = group.Key - 1;
            var prefixes =
                prefix == 0
                    ? null
                    : tensor(
                            items.SelectMany(item => item.Tokens.Take(prefix)).Select(id => (long)id).ToArray(),
                            [1, items.Length, prefix],
                            device: device
                        )
                        .DetachFromDisposeScope();
            var last = tensor(items.Select(item => (long)item.Tokens[^1]).ToArray(), device: device).DetachFromDisposeScope();
            lengths.Add((prefixes, last, tensor(items.Select(item => item.Bias).ToArray(), device: device).DetachFromDisposeScope()));
        }
    }

    /// <exception cref="ArgumentException">A sequence is empty, holds an id outside the vocabulary, or its bias is NaN or +∞.</exception>
    public static void Check(IReadOnlyList<SequenceBias> biases, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(biases);
        for (var i = 0; i < biases.Count; i++)
        {
            if (biases[i]?.Tokens is not { Count: > 0 } tokens)
                throw new ArgumentException($"Sequence {i} is empty, expected at least one token.", nameof(biases));
            if (!(biases[i].Bias < double.PositiveInfinity))
                throw new ArgumentException($"Sequence {i} has the bias {biases[i].Bias}, expected a number or −∞.", nameof(biases));
            foreach (var id in tokens)
            {
                if (id < 0 || id >= vocabularySize)
                    throw new ArgumentException(
                        $"Sequence {i} holds the id {id}, expected ids from 0 to {vocabularySize - 1}.",
                        nameof(biases)
                    );
            }
        }
    }

    /// <summary>Scores [B,V] with the biases of the sequences that the contexts [B,L] end with.</summary>
    public Tensor Apply(Tensor scores, Tensor ids, Tensor mask)
    {
        using var scope = NewDisposeScope();
        var total = zeros_like(scores);
        foreach (var (prefixes, last, bias) in lengths)
        {
            var added = bias.to_type(scores.dtype).unsqueeze(0).expand(scores.size(0), bias.size(0));
            if (prefixes is not null)
            {
                var (length, prefix) = (ids.size(1), prefixes.size(2));
                if (prefix > length)
                    continue;
                var real = mask.narrow(1, length - prefix, prefix).ne(0).all(1).unsqueeze(1);
                var ends = ids.narrow(1, length - prefix, prefix).unsqueeze(1).eq(prefixes).all(2);
                added = where(ends.logical_and(real), added, zeros_like(added));
            }

            total.index_add_(1, last, added, 1);
        }

        return (scores + total).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var (prefixes, last, bias) in lengths)
        {
            prefixes?.Dispose();
            last.Dispose();
            bias.Dispose();
        }
    }
}
