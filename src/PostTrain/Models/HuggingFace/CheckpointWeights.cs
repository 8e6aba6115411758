using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>A model's weights from checkpoint files. All misfits are collected and named in one error.</summary>
internal sealed class CheckpointWeights(CheckpointFiles file, DecoderConfig config, ScalarType type) : WeightSource
{
    private const int ProblemsNamed = 8;

    private readonly HashSet<string> used = new(StringComparer.Ordinal);
    private readonly List<string> problems = [];

    /// <summary>Returns true for GPT-2's projections, which are stored as [in,out] (transformers' Conv1D); a linear layer has
    /// [out,in].</summary>
    public static bool IsTransposed(ModuleNaming naming, string name) =>
        naming == ModuleNaming.Gpt2
        && (
            name.EndsWith(".c_attn.weight", StringComparison.Ordinal)
            || name.EndsWith(".c_proj.weight", StringComparison.Ordinal)
            || name.EndsWith(".c_fc.weight", StringComparison.Ordinal)
        );

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        var transposed = IsTransposed(config.Naming, name);
        var expected = transposed ? [shape[1], shape[0]] : shape;
        if (Find(name) is not { } entry)
            return Refuse($"tensor '{name}' is missing, expected [{string.Join(",", expected)}]", shape);
        used.Add(entry.Name);
        if (!entry.Shape.SequenceEqual(expected))
            return Refuse(
                $"tensor '{entry.Name}' has the shape [{string.Join(",", entry.Shape)}], expected [{string.Join(",", expected)}]",
                shape
            );
        if (!is_floating_point(entry.Type))
            return Refuse($"tensor '{entry.Name}' has the type {entry.Type}, expected a floating-point type", shape);

        // The only allocation: numbers are converted and, if needed, transposed on the way into it.
        using var scope = NewDisposeScope();
        var weight = empty(shape, dtype: type);
        file.ReadInto(entry.Name, transposed ? weight.t() : weight);
        return weight.MoveToOuterDisposeScope();
    }

    /// <summary>Throws if a tensor is missing or has the wrong shape, or if the file has tensors with content that the model
    /// lacks.</summary>
    /// <param name="model">The model made of the weights.</param>
    /// <param name="isClassifier">True if it has a head for scores only.</param>
    /// <exception cref="InvalidDataException">The message names the tensors.</exception>
    public void Finish(Decoder model, bool isClassifier)
    {
        var judge = new CheckpointLeftovers(file, config);
        var whole = problems.Count == 0 ? model : null;
        foreach (var entry in file.Entries.Where(entry => !used.Contains(entry.Name)))
        {
            if (problems.Count >= ProblemsNamed)
                break;
            if (judge.Problem(entry, whole, isClassifier) is { } problem)
                problems.Add(problem);
        }

        if (problems.Count > 0)
            throw Failure();
    }

    /// <summary>Returns the type of the stored embedding, the default type of the model.</summary>
    public static ScalarType StoredType(CheckpointFiles file, DecoderConfig config)
    {
        var names = ModuleNames.Of(config.Naming);
        var name = $"{names.Backbone}.{names.Tokens}.weight";
        var entry = file.Entries.FirstOrDefault(entry => entry.Name == name || name == $"{names.Backbone}.{entry.Name}");
        return entry is not null && is_floating_point(entry.Type) ? entry.Type : ScalarType.Float32;
    }

    // Checkpoints saved without the head lack the first part of the names.
    private SafetensorsEntry? Find(string name)
    {
        if (file.TryGetEntry(name, out var entry))
            return entry;
        var prefix = ModuleNames.Of(config.Naming).Backbone + ".";
        return name.StartsWith(prefix, StringComparison.Ordinal) && file.TryGetEntry(name[prefix.Length..], out entry) ? entry : null;
    }

    // A placeholder of the right rank without elements, so that the other problems are found too; a hostile layer count ends soon.
    private Tensor Refuse(string problem, long[] shape)
    {
        problems.Add(problem);
        if (problems.Count >= ProblemsNamed)
            throw Failure();
        return zeros(new long[shape.Length], dtype: type);
    }

    private InvalidDataException Failure() =>
        new(
            $"{file.Path}: the tensors do not fit the configuration: "
                + $"{string.Join("; ", problems)}{(problems.Count >= ProblemsNamed ? "; ..." : ".")}"
        );
}
