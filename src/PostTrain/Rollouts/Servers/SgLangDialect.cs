using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Rollouts.Servers;

/// <summary>SGLang's own interface.</summary>
internal sealed class SgLangDialect : Dialect
{
    private const double Never = -1e9;

    internal override string Path => "/generate";

    protected override IEnumerable<string> Unsupported(SamplingOptions sampling) => Named(sampling.TypicalP < 1, nameof(sampling.TypicalP));

    internal override JsonObject Body(ServerQuestion question, SamplingOptions sampling, string? model)
    {
        var parameters = new JsonObject
        {
            ["n"] = question.Count,
            ["max_new_tokens"] = question.Limit,
            ["min_new_tokens"] = Math.Min(sampling.MinNewTokens, question.Limit),
            ["temperature"] = sampling.Temperature,
            ["top_p"] = sampling.TopP,
            ["top_k"] = sampling.TopK > 0 ? sampling.TopK : -1,
            ["min_p"] = sampling.MinP,
            ["repetition_penalty"] = sampling.RepetitionPenalty,
            ["sampling_seed"] = question.Seed,
            // The options' stop tokens and no others.
            ["ignore_eos"] = true,
            ["stop_token_ids"] = Ids(sampling.StopTokens),
            ["no_stop_trim"] = true,
            ["skip_special_tokens"] = false,
        };
        if (sampling.StopStrings.Count > 0)
            parameters["stop"] = Texts(sampling.StopStrings);
        var biases = new JsonObject();
        foreach (var (token, bias) in Biases(sampling))
            biases[token.ToString(CultureInfo.InvariantCulture)] = Math.Max(bias, Never);
        if (biases.Count > 0)
            parameters["logit_bias"] = biases;
        var body = new JsonObject
        {
            ["input_ids"] = Ids(question.Prompt),
            ["sampling_params"] = parameters,
            ["return_logprob"] = true,
        };
        if (model is not null)
            body["lora_path"] = model;
        return body;
    }

    internal override IReadOnlyList<ServerAnswer> Read(JsonElement answer) =>
        answer.ValueKind == JsonValueKind.Array
            ? [.. answer.EnumerateArray().Select((one, i) => Completion(one, $"[{i}]."))]
            : [Completion(answer, "")];

    internal override JsonObject TokenizeBody(string text, string? model) => new() { ["prompt"] = text };

    private static ServerAnswer Completion(JsonElement one, string place)
    {
        var told = one.Field("meta_info");
        var name = $"{place}meta_info.output_token_logprobs";
        // Each is [log-prob, id, text].
        var tokens = (told?.Field("output_token_logprobs"))
            .Elements(name)
            .Select((entry, t) => (Parts: ((JsonElement?)entry).Elements($"{name}[{t}]"), Place: $"{name}[{t}]"))
            .Select(entry => (Log: Part(entry.Parts, 0).LogProb(entry.Place), Id: Part(entry.Parts, 1).Id(entry.Place)))
            .ToArray();
        return new ServerAnswer(
            [.. tokens.Select(token => token.Id)],
            [.. tokens.Select(token => token.Log)],
            told?.Field("finish_reason")?.Text("type") ?? "",
            told?.Text("weight_version")
        );
    }

    private static JsonElement? Part(IReadOnlyList<JsonElement> parts, int place) => place < parts.Count ? parts[place] : null;
}
