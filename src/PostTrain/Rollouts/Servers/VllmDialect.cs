using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Rollouts.Servers;

/// <summary>vLLM's form of OpenAI's completions.</summary>
internal sealed class VllmDialect : Dialect
{
    // Biases are bounded there.
    private const double Never = -100;

    internal override string Path => "/v1/completions";

    protected override IEnumerable<string> Unsupported(SamplingOptions sampling) => Named(sampling.TypicalP < 1, nameof(sampling.TypicalP));

    internal override JsonObject Body(ServerQuestion question, SamplingOptions sampling, string? model)
    {
        var body = new JsonObject
        {
            ["model"] = model,
            ["prompt"] = Ids(question.Prompt),
            ["n"] = question.Count,
            ["max_tokens"] = question.Limit,
            ["min_tokens"] = Math.Min(sampling.MinNewTokens, question.Limit),
            ["temperature"] = sampling.Temperature,
            ["top_p"] = sampling.TopP,
            ["top_k"] = sampling.TopK > 0 ? sampling.TopK : -1,
            ["min_p"] = sampling.MinP,
            ["repetition_penalty"] = sampling.RepetitionPenalty,
            ["seed"] = question.Seed,
            ["logprobs"] = 0,
            ["return_token_ids"] = true,
            // The options' stop tokens and no others.
            ["ignore_eos"] = true,
            ["stop_token_ids"] = Ids(sampling.StopTokens),
            ["skip_special_tokens"] = false,
        };
        if (sampling.StopStrings.Count > 0)
            (body["stop"], body["include_stop_str_in_output"]) = (Texts(sampling.StopStrings), true);
        var biases = new JsonObject();
        foreach (var (token, bias) in Biases(sampling))
            biases[token.ToString(CultureInfo.InvariantCulture)] = Math.Max(bias, Never);
        if (biases.Count > 0)
            body["logit_bias"] = biases;
        return body;
    }

    internal override IReadOnlyList<ServerAnswer> Read(JsonElement answer)
    {
        var model = answer.Text("model");
        return
        [
            .. answer
                .Field("choices")
                .Elements("choices")
                .Select(
                    (choice, i) =>
                    {
                        var place = $"choices[{i}].token_ids";
                        var ids = choice.Field("token_ids").Elements(place).Select((id, t) => ((JsonElement?)id).Id($"{place}[{t}]"));
                        var name = $"choices[{i}].logprobs.token_logprobs";
                        var values = choice.Field("logprobs")?.Field("token_logprobs");
                        var logProbs = values.Elements(name).Select((value, t) => ((JsonElement?)value).LogProb($"{name}[{t}]"));
                        return new ServerAnswer([.. ids], [.. logProbs], choice.Text("finish_reason") ?? "", model);
                    }
                ),
        ];
    }

    internal override JsonObject TokenizeBody(string text, string? model) => new() { ["model"] = model, ["prompt"] = text };
}
