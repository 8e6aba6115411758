using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.Gguf;

/// <summary>A checkpoint's tensors as a GGUF file has them: renamed, reordered, shifted, each made when it is written.</summary>
internal sealed class GgufTensors(string architecture, DecoderConfig config, GgufType type)
{
    /// <summary>A parameter of the checkpoint.</summary>
    /// <param name="Name">Its name in transformers.</param>
    /// <param name="Shape">As a decoder has it: GPT-2's projections are [out, in].</param>
    /// <param name="Make">Gives the tensor.</param>
    internal sealed record Parameter(string Name, IReadOnlyList<long> Shape, Func<Tensor> Make);

    /// <summary>The file's tensor of a parameter, or null where the file has none: a second copy of tied embeddings.</summary>
    /// <exception cref="InvalidDataException">llama.cpp has no place for the parameter.</exception>
    internal GgufSource? Of(Parameter parameter)
    {
        if (config.TiedEmbeddings && parameter.Name == "lm_head.weight")
            return null;
        var name =
            GgufNames.Of(parameter.Name, config.NormPlacement)
            ?? throw new InvalidDataException($"tensor '{parameter.Name}' has no place in a GGUF file of {architecture}");
        return new GgufSource(name, parameter.Shape, TypeOf(name, parameter.Shape), () => Changed(name, parameter.Make()));
    }

    /// <summary>rope_freqs.weight, where the architecture has it.</summary>
    internal GgufSource? FrequencyFactors() =>
        GgufArchitecture.FrequencyFactors(config) is { } factors
            ? new GgufSource("rope_freqs.weight", [factors.Length], GgufType.F32, () => tensor(factors))
            : null;

    /// <summary>Rows of queries or keys in the order of llama.cpp's interleaved rotary embedding: inside each head row i of the first half
    /// goes to 2i, of the second half to 2i + 1.</summary>
    /// <param name="rows">[heads · size, ...].</param>
    /// <param name="heads">Heads.</param>
    internal static Tensor Interleaved(Tensor rows, int heads)
    {
        using var scope = NewDisposeScope();
        var shape = rows.shape;
        return rows.reshape(heads, 2, shape[0] / heads / 2, -1).transpose(1, 2).reshape(shape).MoveToOuterDisposeScope();
    }

    /// <summary>How many heads a tensor's rows are of whose order changes; null where it stays.</summary>
    internal int? InterleavedHeads(string name) =>
        architecture != "llama" ? null
        : name.Contains(".attn_q.", StringComparison.Ordinal) ? config.Heads
        : name.Contains(".attn_k.", StringComparison.Ordinal) ? config.KeyValueHeads
        : null;

    private Tensor Changed(string name, Tensor tensor)
    {
        if (InterleavedHeads(name) is { } heads)
            return Interleaved(tensor, heads);
        // Gemma's norms multiply by 1 + weight, llama.cpp's by the weight.
        return config.Normalization == Normalization.RmsNormOffset && name.EndsWith("norm.weight", StringComparison.Ordinal)
            ? tensor.to_type(ScalarType.Float32) + 1
            : tensor;
    }

    private GgufType TypeOf(string name, IReadOnlyList<long> shape) =>
        shape.Count < 2 || name.StartsWith("position_embd.", StringComparison.Ordinal) ? GgufType.F32
        : shape[^1] % GgufBlocks.Elements(type) == 0 ? type
        : GgufType.F16;
}
