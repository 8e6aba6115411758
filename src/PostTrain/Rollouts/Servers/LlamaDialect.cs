using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Rollouts.Servers;

/// <summary>The form of OpenAI's completions that llama.cpp's server has: ids stand beside the log-probs. Stop tokens other than the
/// model's own do not end a completion there; it is cut behind them afterwards.</summary>
internal sealed class LlamaDialect : Dialect
{
    internal override string Path => "/v1/completions";

    protected override IEnumerable<string> Unsupported(SamplingOptions sampling) =>
        Named(sampling.MinNewTokens > 0, nameof(sampling.MinNewTokens));

    internal override JsonObject Body(ServerQuestion question, SamplingOptions sampling, string? model)
    {
        var body = new JsonObject
        {
            ["prompt"] = Ids(question.Prompt),
            ["n"] = question.Count,
            ["max_tokens"] = question.Limit,
            ["temperature"] = sampling.Temperature,
            // In the order of the sampler.
            ["samplers"] = Texts(["penalties", "temperature", "top_k", "top_p", "min_p", "typ_p"]),
            ["top_k"] = sampling.TopK,
            ["top_p"] = sampling.TopP,
            ["min_p"] = sampling.MinP,
            ["typical_p"] = sampling.TypicalP,
            ["repeat_penalty"] = sampling.RepetitionPenalty,
            ["repeat_last_n"] = -1,
            ["seed"] = question.Seed,
            ["logprobs"] = 1,
        };
        if (model is not null)
            body["model"] = model;
        if (sampling.StopStrings.Count > 0)
            body["stop"] = Texts(sampling.StopStrings);
        var biases = new JsonArray();
        foreach (var (token, bias) in Biases(sampling))
            biases.Add(new JsonArray(token, double.IsNegativeInfinity(bias) ? JsonValue.Create(false) : JsonValue.Create(bias)));
        if (biases.Count > 0)
            body["logit_bias"] = biases;
        return body;
    }

    internal override IReadOnlyList<ServerAnswer> Read(JsonElement answer) =>
        [
            .. answer
                .Field("choices")
                .Elements("choices")
                .Select(
                    (choice, i) =>
                    {
                        var place = $"choices[{i}].logprobs.content";
                        var content = choice.Field("logprobs")?.Field("content");
                        var tokens = content.Elements(place);
                        return new ServerAnswer(
                            [.. tokens.Select((token, t) => token.Field("id").Id($"{place}[{t}].id"))],
                            [.. tokens.Select((token, t) => token.Field("logprob").LogProb($"{place}[{t}].logprob"))],
                            choice.Text("finish_reason") ?? "",
                            null
                        );
                    }
                ),
        ];

    internal override JsonObject TokenizeBody(string text, string? model) => new() { ["content"] = text, ["add_special"] = true };
}
