using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>What this library computes of the same model.</summary>
internal static class Ours
{
    internal static int[] Greedy(CausalLm model, int[] prompt, int count, params int[] ends)
    {
        var options = new SamplingOptions
        {
            Temperature = 0,
            MaxNewTokens = count,
            StopTokens = ends,
        };
        using var batch = Sampler.Generate(model, [prompt], options, seed: 0, paddingId: 0);
        return batch.Completions[0];
    }

    internal static double[][] Logits(CausalLm model, int[] ids)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var logits = model.call(tensor(ids.Select(id => (long)id).ToArray(), [1, ids.Length])).to_type(ScalarType.Float64).select(0, 0);
        return [.. Enumerable.Range(0, ids.Length).Select(row => logits.select(0, row).contiguous().data<double>().ToArray())];
    }

    /// <summary>The largest difference of two positions' log-probabilities.</summary>
    internal static double Difference(double[][] ours, float[][] theirs)
    {
        double largest = 0;
        for (var row = 0; row < ours.Length; row++)
        {
            var (a, b) = (LogSoftmax(ours[row]), LogSoftmax([.. theirs[row].Select(value => (double)value)]));
            for (var i = 0; i < a.Length; i++)
                largest = Math.Max(largest, Math.Abs(a[i] - b[i]));
        }

        return largest;
    }

    /// <summary>Replaces a model's matrices by what a file of blocks holds of them.</summary>
    internal static void Round(Decoder model, string path)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var file = GgufFile.Open(path);
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (parameter.dim() != 2)
                continue;
            var layer = name.Split('.') is ["model", "layers", var number, ..] ? number : null;
            var part = name switch
            {
                "model.embed_tokens.weight" => "token_embd",
                _ when name.Contains("q_proj", StringComparison.Ordinal) => "attn_q",
                _ when name.Contains("k_proj", StringComparison.Ordinal) => "attn_k",
                _ when name.Contains("v_proj", StringComparison.Ordinal) => "attn_v",
                _ when name.Contains("o_proj", StringComparison.Ordinal) => "attn_output",
                _ when name.Contains("gate_proj", StringComparison.Ordinal) => "ffn_gate",
                _ when name.Contains("up_proj", StringComparison.Ordinal) => "ffn_up",
                _ => "ffn_down",
            };
            var values = file.Read(layer is null ? $"{part}.weight" : $"blk.{layer}.{part}.weight");
            // Back from llama.cpp's order of rows: 2i and 2i + 1 are i of the first and of the second half.
            if (part is "attn_q" or "attn_k")
            {
                var heads = part == "attn_q" ? model.Config.Heads : model.Config.KeyValueHeads;
                values = values.reshape(heads, -1, 2, values.size(1)).transpose(1, 2).reshape(values.shape);
            }

            parameter.copy_(values);
        }
    }

    private static double[] LogSoftmax(double[] values)
    {
        var largest = values.Max();
        var sum = Math.Log(values.Sum(value => Math.Exp(value - largest))) + largest;
        return [.. values.Select(value => value - sum)];
    }
}
