using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>Smaller decoders of the same kind: without some layers, or without some heads. The results are ordinary models, which are
/// saved,
/// trained and quantised as such.</summary>
/// <remarks><see cref="Importance"/> says which parts matter least.</remarks>
public static class StructuredPruning
{
    /// <summary>A decoder without some of its layers.</summary>
    /// <param name="model">It stays as it is.</param>
    /// <param name="layers">Numbers of the layers that go, each once, not all of them.</param>
    /// <returns>A new model with copies of the weights, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">A number is no layer's or given twice, or no layer would be left.</exception>
    /// <exception cref="InvalidOperationException">There is an adapter on the model, or its layers were compressed.</exception>
    public static Decoder WithoutLayers(Decoder model, params IReadOnlyList<int> layers)
    {
        Check(model);
        ArgumentNullException.ThrowIfNull(layers);
        var config = model.Config;
        CheckNumbers(layers, config.Layers, nameof(layers));
        if (layers.Count == config.Layers)
            throw new ArgumentException($"layers names all {layers.Count} layers, expected at least one to stay", nameof(layers));
        int[] kept = [.. Enumerable.Range(0, config.Layers).Except(layers)];
        var names = ModuleNames.Of(config);
        var prefix = $"{names.Backbone}.{names.Layers}.";
        using var mode = no_grad();
        return new Decoder(
            config with
            {
                Layers = kept.Length,
                Attention = AttentionLayers.Create([.. kept.Select(layer => config.Attention[layer])]),
            },
            new PickedWeights(model, NameOf, (_, weight) => weight)
        )
        {
            PaddingFree = model.PaddingFree,
            CheckpointActivations = model.CheckpointActivations,
        };

        string NameOf(string name)
        {
            if (!name.StartsWith(prefix, StringComparison.Ordinal))
                return name;
            var rest = name[prefix.Length..];
            var dot = rest.IndexOf('.', StringComparison.Ordinal);
            var layer = int.Parse(rest[..dot], System.Globalization.CultureInfo.InvariantCulture);
            return $"{prefix}{kept[layer]}{rest[dot..]}";
        }
    }

    /// <summary>A decoder without some of its heads: key-value heads with all the query heads that read them, the same number in each
    /// layer.</summary>
    /// <param name="model">It stays as it is.</param>
    /// <param name="heads">For each layer the numbers of the key-value heads that go, each once, not all of them.</param>
    /// <returns>A new model with copies of the weights, which the caller disposes.</returns>
    /// <inheritdoc cref="WithoutLayers" path="/exception"/>
    public static Decoder WithoutHeads(Decoder model, IReadOnlyList<IReadOnlyList<int>> heads)
    {
        Check(model);
        ArgumentNullException.ThrowIfNull(heads);
        var config = model.Config;
        if (heads.Count != config.Layers || heads.Any(layer => layer.Count != heads[0].Count))
            throw new ArgumentException(
                $"heads has the numbers [{string.Join(", ", heads.Select(layer => layer.Count))}], expected the same number for "
                    + $"each of {config.Layers} layers",
                nameof(heads)
            );
        foreach (var layer in heads)
            CheckNumbers(layer, config.KeyValueHeads, nameof(heads));
        if (heads[0].Count == config.KeyValueHeads)
            throw new ArgumentException($"heads names all {config.KeyValueHeads} heads, expected at least one to stay", nameof(heads));
        var left = config.KeyValueHeads - heads[0].Count;
        var group = config.Heads / config.KeyValueHeads;
        using var mode = no_grad();
        return new Decoder(
            config with
            {
                Heads = left * group,
                KeyValueHeads = left,
                HeadSize = config.HeadSize,
            },
            new PickedWeights(model, name => name, Pick)
        )
        {
            PaddingFree = model.PaddingFree,
            CheckpointActivations = model.CheckpointActivations,
        };

        Tensor Pick(string name, Tensor weight)
        {
            var names = ModuleNames.Of(config);
            var prefix = $"{names.Backbone}.{names.Layers}.";
            if (!name.StartsWith(prefix, StringComparison.Ordinal))
                return weight;
            var parts = name[prefix.Length..].Split('.');
            if (parts.Length != 4 || parts[1] != names.Attention)
                return weight;
            var layer = int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture);
            int[] kept = [.. Enumerable.Range(0, config.KeyValueHeads).Except(heads[layer])];
            int[] queries = [.. kept.SelectMany(head => Enumerable.Range(head * group, group))];
            var (q, k) = (Rows(queries, 0), Rows(kept, 0));
            // Fused: query heads, then key heads, then value heads.
            long[] all = [.. q, .. Rows(kept, config.Heads), .. Rows(kept, config.Heads + config.KeyValueHeads)];
            if (config.FusedProjections && parts[2] == names.Fused)
                return Select(weight, 0, all);
            if (!config.FusedProjections && parts[2] == names.Query)
                return Select(weight, 0, q);
            if (!config.FusedProjections && (parts[2] == names.Key || parts[2] == names.Value))
                return Select(weight, 0, k);
            return parts[2] == names.AttentionOutput && parts[3] == "weight" ? Select(weight, 1, q) : weight;
        }

        long[] Rows(int[] numbers, int offset) =>
            [.. numbers.SelectMany(head => Enumerable.Range(0, config.HeadSize).Select(i => (long)(offset + head) * config.HeadSize + i))];
    }

    private static Tensor Select(Tensor weight, int dimension, long[] places) =>
        weight.index_select(dimension, tensor(places, device: weight.device));

    private static void Check(Decoder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.HasAdapter)
            throw new InvalidOperationException("The model has an adapter, expected a plain decoder: merge the adapter, or dispose it.");
    }

    private static void CheckNumbers(IReadOnlyList<int> numbers, int count, string name)
    {
        if (numbers.Any(number => number < 0 || number >= count) || numbers.Distinct().Count() != numbers.Count)
            throw new ArgumentException(
                $"{name} holds [{string.Join(", ", numbers)}], expected numbers from 0 to {count - 1}, each once",
                name
            );
    }
}

/// <summary>The weights of a decoder under other names, and of each what is kept.</summary>
internal sealed class PickedWeights(Decoder source, Func<string, string> nameOf, Func<string, Tensor, Tensor> pick) : WeightSource
{
    private readonly Dictionary<string, Tensor> weights = source.Weights().ToDictionary(item => item.Name, item => (Tensor)item.Parameter);

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        using var scope = NewDisposeScope();
        var from = nameOf(name);
        return pick(from, weights[from].detach()).clone().MoveToOuterDisposeScope();
    }
}
