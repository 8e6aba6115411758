using PostTrain.Adapters.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>Combines several LoRA adapters into one.</content>
public sealed partial class AdaptedModel
{
    /// <summary>Adds an adapter that combines others of this model, with a scale of 1. It is inactive until <see cref="Activate"/> names
    /// it.</summary>
    /// <param name="name">Name of the new adapter.</param>
    /// <param name="parts">Names of LoRA adapters and their weights, of any sign.</param>
    /// <param name="options">The combination.</param>
    /// <exception cref="ArgumentException">A part is unknown or is not plain LoRA (DoRA, a shifted initialisation, own biases, trained
    /// tokens, saved modules), or ranks that must be equal are not.</exception>
    public void Combine(string name, IReadOnlyList<(string Adapter, double Weight)> parts, CombinationOptions options)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(options);
        CheckNew(name);
        options.Validate();
        if (parts.Count == 0 || parts.Any(part => !double.IsFinite(part.Weight)))
            throw new ArgumentException(
                $"parts are [{string.Join(", ", parts)}], expected at least one, with finite weights",
                nameof(parts)
            );
        var sources = parts
            .Select(part => Plain(part.Adapter).ToDictionary(factors => factors.Leaf.Name, StringComparer.Ordinal))
            .ToArray();
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var results = new Dictionary<string, (Tensor A, Tensor B)>(StringComparer.Ordinal);
        foreach (var leaf in sources.SelectMany(source => source.Keys).Distinct())
        {
            var present = sources
                .Zip(parts)
                .Where(pair => pair.First.ContainsKey(leaf))
                .Select(pair => (pair.First[leaf], pair.Second.Weight))
                .ToArray();
            results.Add(leaf, Combination.Of([.. present.Select(item => item.Item1)], [.. present.Select(item => item.Weight)], options));
        }

        var rank = options.Decomposes && options.Rank is { } wanted ? wanted : (int)results.Values.Max(result => result.A.size(0));
        var combined = new LoraOptions
        {
            Rank = rank,
            Alpha = rank,
            Targets = ModuleSelection.Named([.. results.Keys]),
            BaseModel = Find(parts[0].Adapter).Options.BaseModel,
            TaskType = Find(parts[0].Adapter).Options.TaskType,
        };
        var pieces = Build(combined, 0);
        foreach (var piece in pieces)
        {
            var (a, b) = results[piece.Leaf.Name];
            var own = (ILoraFactors)piece;
            own.A.zero_().narrow(0, 0, a.size(0)).copy_(a);
            own.B.zero_().narrow(1, 0, b.size(1)).copy_(b);
        }

        Add(name, combined, pieces);
    }

    private IEnumerable<ILoraFactors> Plain(string name)
    {
        foreach (var piece in Find(name).Pieces)
        {
            yield return piece is ILoraFactors { IsPlain: true } factors
                ? factors
                : throw new ArgumentException(
                    $"the adapter '{name}' is not plain LoRA at '{piece.Leaf.Name}', and only plain LoRA can be combined",
                    nameof(name)
                );
        }
    }
}
