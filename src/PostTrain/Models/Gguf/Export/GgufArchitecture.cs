using System.Globalization;

namespace PostTrain.Models.Gguf;

/// <summary>The mapping of a decoder's configuration to a GGUF file, and the parts that llama.cpp ignores.</summary>
internal static class GgufArchitecture
{
    private const int Gemma3Period = 6;

    /// <summary>llama.cpp's name of the architecture.</summary>
    /// <exception cref="NotSupportedException">There is no such architecture; the message gives the reason.</exception>
    internal static string NameOf(DecoderConfig config)
    {
        var type = config.ModelType ?? (config.Naming == ModuleNaming.Gpt2 ? "gpt2" : "llama");
        var name = type switch
        {
            "llama" or "mistral" => "llama",
            "qwen2" or "qwen3" or "gemma" or "gemma2" or "phi3" or "gpt2" => type,
            "gemma3_text" => "gemma3",
            _ => throw new NotSupportedException(
                $"A model of the type {type} is not written as GGUF, expected llama, mistral, qwen2, qwen3, gemma, gemma2, "
                    + "gemma3_text, phi3 or gpt2."
            ),
        };
        if (HuggingFace.Architectures.WhyNotWritable(config with { ModelType = type }) is { } reason)
            throw new NotSupportedException($"The model is not what llama.cpp calls {name}: {reason}.");
        var activation = name is "gemma" or "gemma2" or "gemma3" or "gpt2" ? Activation.GeluTanh : Activation.Silu;
        if (config.Activation != activation)
            throw new NotSupportedException($"The model's activation is {config.Activation}, {name} in llama.cpp has {activation}.");
        return name;
    }

    /// <summary>Describes the difference between llama.cpp's computation and the model's; null if there is none.</summary>
    internal static string? Difference(string name, DecoderConfig config)
    {
        var windows = config.Attention.Count(spec => spec.Window is { } window && window < config.ContextLength);
        if (name is "llama" or "qwen2" or "qwen3" or "gemma" && windows > 0)
            return $"its sliding window of {config.Attention.First(spec => spec.Window is not null).Window} tokens";
        if (name is not ("gemma2" or "gemma3"))
            return null;
        var period = name == "gemma2" ? 2 : Gemma3Period;
        for (var layer = 0; layer < config.Layers; layer++)
        {
            if (config.Attention[layer].Window is null != (layer % period == period - 1))
                return $"the order of its layers: {name} has a full layer every {period}, and layer {layer} is not of that order";
        }

        var scale = config.Attention[0].Scale;
        return scale is { } given && Math.Abs(given * Math.Sqrt(config.HeadSize) - 1) > 1e-6
            ? string.Create(CultureInfo.InvariantCulture, $"its scale of the scores {given}, where 1/√(head size) is taken")
            : null;
    }

    /// <summary>The keys of the architecture; the configuration is resolved.</summary>
    internal static IEnumerable<(string Key, object Value)> Keys(string name, DecoderConfig config)
    {
        List<(string Key, object Value)> keys =
        [
            ("block_count", (uint)config.Layers),
            ("context_length", (uint)config.ContextLength),
            ("embedding_length", (uint)config.HiddenSize),
            ("feed_forward_length", (uint)config.FeedForwardSize),
            ("attention.head_count", (uint)config.Heads),
        ];
        if (name == "gpt2")
            keys.Add(("attention.layer_norm_epsilon", (float)config.NormEpsilon));
        else
            keys.AddRange([
                ("attention.head_count_kv", (uint)config.KeyValueHeads),
                ("attention.layer_norm_rms_epsilon", (float)config.NormEpsilon),
            ]);
        if (name is not ("gpt2" or "phi3") && (name != "qwen2" || config.HeadSize * config.Heads != config.HiddenSize))
            keys.AddRange([("attention.key_length", (uint)config.HeadSize), ("attention.value_length", (uint)config.HeadSize)]);
        if (name == "llama")
            keys.Add(("vocab_size", (uint)config.VocabularySize));
        keys.AddRange(Rotary(name, config));
        if (name is "gemma2" && config.Attention[0].SoftCap is { } cap)
            keys.Add(("attn_logit_softcapping", (float)cap));
        if (name is "gemma2" or "gemma3" && config.LogitSoftCap is { } last)
            keys.Add(("final_logit_softcapping", (float)last));
        // A window of 0 says that there is none, which for phi3 is otherwise taken for one.
        var window = config.Attention.Select(spec => spec.Window).FirstOrDefault(size => size is not null);
        if (name is "phi3" || (name is "gemma2" or "gemma3" && window is not null))
            keys.Add(("attention.sliding_window", (uint)(window ?? 0)));
        return keys.Select(item => ($"{name}.{item.Key}", item.Value));
    }

    /// <summary>Returns the divisors of Llama 3.1's frequencies, for rope_freqs.weight; null for another scaling.</summary>
    internal static float[]? FrequencyFactors(DecoderConfig config)
    {
        if (Main(config) is not { Scaling: Llama3Scaling scaling } rotary)
            return null;
        var size = rotary.Size(config.HeadSize);
        // In float32, step by step, as the reference has it.
        var (low, high, factor) = ((float)scaling.LowFrequencyFactor, (float)scaling.HighFrequencyFactor, (float)scaling.Factor);
        var factors = new float[size / 2];
        for (var i = 0; i < factors.Length; i++)
        {
            var frequency = 1 / (float)Math.Pow(rotary.Theta, 2f * i / size);
            var turns = scaling.OriginalLength / ((float)(2 * Math.PI) / frequency);
            factors[i] =
                turns > high ? 1
                : turns < low ? factor
                : 1 / ((1 - (turns - low) / (high - low)) / factor + (turns - low) / (high - low));
        }

        return factors;
    }

    private static RotarySpec? Main(DecoderConfig config) =>
        (config.Attention.FirstOrDefault(spec => spec.Window is null) ?? config.Attention[0]).Rotary;

    private static IEnumerable<(string Key, object Value)> Rotary(string name, DecoderConfig config)
    {
        if (Main(config) is not { } rotary)
            yield break;
        // Gemma 1 and 2 have no key for the base: it is always 10000.
        if (name is not ("gemma" or "gemma2") || rotary.Theta != 10_000)
            yield return ("rope.freq_base", (float)rotary.Theta);
        if (name is "llama" or "phi3" || rotary.Fraction != 1)
            yield return ("rope.dimension_count", (uint)rotary.Size(config.HeadSize));
        if (name == "gemma3" && config.Attention.FirstOrDefault(spec => spec.Window is not null)?.Rotary is { } near)
        {
            if (near.Scaling is not null)
                throw new NotSupportedException("The model scales the rotary embedding of layers with a window, which gemma3 does not.");
            if (near.Theta != 10_000)
                yield return ("rope.freq_base_swa", (float)near.Theta);
        }

        switch (rotary.Scaling)
        {
            case null:
                if (name == "phi3")
                    yield return ("rope.scaling.original_context_length", (uint)config.ContextLength);
                break;
            case Llama3Scaling when name == "llama":
                break;
            case LinearScaling linear:
                yield return ("rope.scaling.type", "linear");
                yield return ("rope.scaling.factor", (float)linear.Factor);
                break;
            case YarnScaling { Attention: null, Truncate: true } yarn:
                yield return ("rope.scaling.type", "yarn");
                yield return ("rope.scaling.factor", (float)yarn.Factor);
                yield return ("rope.scaling.original_context_length", (uint)yarn.OriginalLength);
                yield return ("rope.scaling.yarn_beta_fast", (float)yarn.BetaFast);
                yield return ("rope.scaling.yarn_beta_slow", (float)yarn.BetaSlow);
                break;
            default:
                throw new NotSupportedException(
                    $"The model's rotary embedding is scaled by {rotary.Scaling}, which llama.cpp's {name} does not compute; "
                        + "expected linear"
                        + " scaling, YaRN with its own attention factor, or Llama 3's for llama."
                );
        }
    }
}
