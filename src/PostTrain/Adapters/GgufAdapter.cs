using PostTrain.Adapters.Peft;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>Writes a LoRA adapter as GGUF, which llama.cpp lays over the GGUF file of its base model.</summary>
/// <remarks>LoRA and rsLoRA on linear layers, with patterns of ranks and scales: where a module's scale is not α / r, its B is multiplied
/// by the difference. What else an adapter can hold (DoRA, biases, tokens, embeddings, saved modules) is refused by name.</remarks>
public static class GgufAdapter
{
    private const string Prefix = "base_model.model.";

    /// <summary>Writes an adapter's directory as one file.</summary>
    /// <param name="adapterDirectory">Holds adapter_config.json and adapter_model.safetensors, as PEFT and <see cref="AdaptedModel.Save"/>
    /// write them.</param>
    /// <param name="modelDirectory">Directory of the base model; only its config.json is read.</param>
    /// <param name="path">The file to write or to replace.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="stop">Stops between two tensors and leaves nothing behind.</param>
    /// <exception cref="NotSupportedException">llama.cpp has no place for something in the adapter; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its tensors do not fit the base model.</exception>
    public static void Write(
        string adapterDirectory,
        string modelDirectory,
        string path,
        GgufType type = GgufType.F32,
        CancellationToken stop = default
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(adapterDirectory);
        ArgumentException.ThrowIfNullOrEmpty(modelDirectory);
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (type is not (GgufType.F32 or GgufType.F16 or GgufType.BF16))
            throw new ArgumentOutOfRangeException(nameof(type), type, "type must be F32, F16 or BF16");
        var options = PeftConfig.Read(Path.Combine(adapterDirectory, "adapter_config.json"));
        if (Unsupported(options) is { } reason)
            throw new NotSupportedException(
                $"{adapterDirectory}: the adapter {reason}, which is not written as GGUF, expected LoRA alone."
            );
        var lora = (LoraOptions)options;
        using var file = ConfigFile.Open(Path.Combine(modelDirectory, CheckpointOrigin.ConfigName));
        var config = Architectures.Read(file);
        var name = GgufArchitecture.NameOf(config);
        using var weights = SafetensorsFile.Open(Path.Combine(adapterDirectory, "adapter_model.safetensors"));
        var shapes = ShapesOnly.Of(config);
        var tensors = new GgufTensors(name, config, type);
        GgufSource[] sources = [.. weights.Entries.Select(entry => Source(weights, entry, lora, shapes, config, tensors, type))];
        GgufWriter.Write(
            path,
            [
                ("general.architecture", name),
                ("general.type", "adapter"),
                ("adapter.type", "lora"),
                ("adapter.lora.alpha", (float)lora.Alpha),
            ],
            sources,
            progress: null,
            stop
        );
    }

    private static string? Unsupported(AdapterOptions options) =>
        options is not LoraOptions lora ? $"is of the kind {options.Method}"
        : lora.WeightDecomposed ? "decomposes weights (DoRA)"
        : lora.Bias != AdapterBias.None ? "trains biases of the base"
        : lora.OwnBias ? "has biases of its own"
        : lora.Tokens.Ids.Count > 0 ? "trains tokens"
        : lora.ModulesToSave.Count > 0 ? $"holds whole modules ({string.Join(", ", lora.ModulesToSave)})"
        : null;

    private static GgufSource Source(
        SafetensorsFile file,
        SafetensorsEntry entry,
        LoraOptions options,
        IReadOnlyDictionary<string, long[]> shapes,
        DecoderConfig config,
        GgufTensors tensors,
        GgufType type
    )
    {
        var (module, isA) = Part(file.Path, entry.Name);
        if (
            !shapes.TryGetValue(module + ".weight", out var shape)
            || shape.Length != 2
            || GgufNames.Of(module + ".weight", config.NormPlacement) is not { } name
        )
            throw new InvalidDataException(
                $"{file.Path}: tensor '{entry.Name}' belongs to '{module}', which is no matrix of the base model."
            );
        var (rank, scale) = options.Of(module);
        long[] expected = isA ? [rank, shape[1]] : [shape[0], rank];
        if (!entry.Shape.SequenceEqual(expected) || !is_floating_point(entry.Type))
            throw new InvalidDataException(
                $"{file.Path}: tensor '{entry.Name}' is {entry.Type} [{string.Join(",", entry.Shape)}], expected floating-point "
                    + $"numbers [{string.Join(",", expected)}]."
            );
        // llama.cpp's scale is α / r.
        var factor = scale * rank / options.Alpha;
        return new GgufSource($"{name}.lora_{(isA ? 'a' : 'b')}", entry.Shape, type, () => Changed(file.Read(entry.Name)));

        Tensor Changed(Tensor values)
        {
            if (isA)
                return values;
            var scaled = Math.Abs(factor - 1) < 1e-12 ? values : values.to_type(ScalarType.Float32) * factor;
            return tensors.InterleavedHeads(name) is { } heads ? GgufTensors.Interleaved(scaled, heads) : scaled;
        }
    }

    private static (string Module, bool IsA) Part(string path, string name)
    {
        foreach (var (end, isA) in new[] { (".lora_A.weight", true), (".lora_B.weight", false) })
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(end, StringComparison.Ordinal))
                return (name[Prefix.Length..^end.Length], isA);
        }

        throw new NotSupportedException(
            $"{path}: tensor '{name}' is not written as GGUF, expected '{Prefix}MODULE.lora_A.weight' and '.lora_B.weight' of linear layers"
        );
    }
}
