using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>Bodies of the three interfaces.</summary>
internal static class ToyAnswers
{
    /// <summary>What a body asks for.</summary>
    internal static RolloutRequest Question(JsonNode body, ITokenizer tokenizer)
    {
        var how = body["sampling_params"] ?? body;
        int[] Ids(JsonNode? node) => [.. (node?.AsArray() ?? []).Select(id => (int)id!)];
        var prompt = Ids(body["input_ids"] ?? body["prompt"]);
        // llama.cpp's server has the model's own ends only.
        var stops = how["stop_token_ids"] is { } given ? Ids(given) : [.. tokenizer.EndOfSequenceIds];
        return new RolloutRequest(
            [.. Enumerable.Repeat(prompt, (int?)how["n"] ?? 1)],
            new SamplingOptions
            {
                Temperature = (double)how["temperature"]!,
                TopP = (double)how["top_p"]!,
                MaxNewTokens = (int)(how["max_tokens"] ?? how["max_new_tokens"])!,
                StopTokens = stops,
                StopStrings = [.. (how["stop"]?.AsArray() ?? []).Select(stop => (string)stop!)],
            },
            (ulong)(long)(how["seed"] ?? how["sampling_seed"])!
        );
    }

    /// <summary>Completions of vLLM and, where nobody asks for token ids, of llama.cpp's server.</summary>
    internal static JsonObject OpenAi(IReadOnlyList<RolloutSample> samples, JsonNode body)
    {
        var withIds = (bool?)body["return_token_ids"] ?? false;
        var choices = samples.Select(sample =>
        {
            var choice = new JsonObject
            {
                ["index"] = sample.Row,
                ["text"] = "",
                ["finish_reason"] = sample.Finish == RolloutFinish.Stop ? "stop" : "length",
            };
            if (withIds)
            {
                choice["token_ids"] = ToyServer.Ids(sample.Tokens);
                choice["logprobs"] = new JsonObject { ["token_logprobs"] = new JsonArray([.. sample.LogProbs.Select(Number)]) };
            }
            else
            {
                choice["logprobs"] = new JsonObject
                {
                    ["content"] = new JsonArray([
                        .. sample.Tokens.Zip(
                            sample.LogProbs,
                            (id, value) => (JsonNode)new JsonObject { ["id"] = id, ["logprob"] = Number(value) }
                        ),
                    ]),
                };
            }
            return (JsonNode)choice;
        });
        return new JsonObject { ["model"] = (string?)body["model"] ?? "toy", ["choices"] = new JsonArray([.. choices]) };
    }

    /// <summary>Completions of SGLang.</summary>
    internal static JsonNode SgLang(IReadOnlyList<RolloutSample> samples, string version)
    {
        var all = samples
            .Select(sample =>
                (JsonNode)
                    new JsonObject
                    {
                        ["text"] = "",
                        ["output_ids"] = ToyServer.Ids(sample.Tokens),
                        ["meta_info"] = new JsonObject
                        {
                            ["weight_version"] = version,
                            ["finish_reason"] = new JsonObject { ["type"] = sample.Finish == RolloutFinish.Stop ? "stop" : "length" },
                            ["output_token_logprobs"] = new JsonArray([
                                .. sample.Tokens.Zip(sample.LogProbs, (id, value) => (JsonNode)new JsonArray(Number(value), id, null)),
                            ]),
                        },
                    }
            )
            .ToArray();
        return all.Length == 1 ? all[0] : new JsonArray(all);
    }

    /// <summary>Takes a completion away, or says that one was aborted.</summary>
    internal static JsonNode Spoilt(JsonNode answer, ToyFault fault)
    {
        var all = answer as JsonArray ?? answer["choices"]?.AsArray();
        if (fault == ToyFault.FewerCompletions)
        {
            if (all is null)
                return new JsonArray();
            all.RemoveAt(0);
        }
        else if (fault == ToyFault.Aborted)
        {
            var one = all is null ? answer : all[0]!;
            if (one["meta_info"] is { } told)
                told["finish_reason"] = new JsonObject { ["type"] = "abort" };
            else
                one["finish_reason"] = "abort";
        }
        return answer;
    }

    // float32 in nine digits, as many as it takes to get it back.
    private static JsonNode Number(double value) => JsonNode.Parse(((float)value).ToString("G9", CultureInfo.InvariantCulture))!;
}
