using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>Weights of one part of a LLaVA checkpoint.</summary>
/// <param name="file">The checkpoint.</param>
/// <param name="prefix">Before the names of the part, such as <c>language_model.</c></param>
/// <param name="type">Type of the weights in memory.</param>
/// <param name="used">Takes the names of the tensors that were read.</param>
internal sealed class LlavaWeights(CheckpointFiles file, string prefix, ScalarType type, ISet<string> used) : WeightSource
{
    // Newer files leave this part of the encoder's names out.
    private const string Inner = "vision_model.";

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        var full = prefix + name;
        if (!file.TryGetEntry(full, out var entry) && name.StartsWith(Inner, StringComparison.Ordinal))
            file.TryGetEntry(prefix + name[Inner.Length..], out entry);
        if (entry is null)
            throw new InvalidDataException($"{file.Path}: tensor '{full}' is missing, expected [{string.Join(",", shape)}].");
        if (!entry.Shape.SequenceEqual(shape) || !is_floating_point(entry.Type))
            throw new InvalidDataException(
                $"{file.Path}: tensor '{entry.Name}' is {entry.Type} [{string.Join(",", entry.Shape)}], expected floating point "
                    + $"[{string.Join(",", shape)}]."
            );
        used.Add(entry.Name);
        using var scope = NewDisposeScope();
        var weight = empty(shape, dtype: type);
        file.ReadInto(entry.Name, weight);
        return weight.MoveToOuterDisposeScope();
    }
}
