using System.Net;
using System.Text.Json;
using PostTrain.Text;

namespace PostTrain.Rollouts.Servers;

/// <summary>Comparison of a server with the policy, before the first draw.</summary>
internal static class ServerCheck
{
    /// <summary>Asks for the model, and compares tokenizers.</summary>
    /// <exception cref="InvalidDataException">The model or the tokenizer is another.</exception>
    internal static async Task<ServerFacts> RunAsync(
        ServerOptions options,
        ServerConnection connection,
        Dialect dialect,
        ITokenizer tokenizer,
        IReadOnlyList<string> texts,
        CancellationToken cancellation
    )
    {
        var facts =
            options.Protocol == ServerProtocol.SgLang
                ? await SgLangAsync(options, connection, cancellation).ConfigureAwait(false)
                : await OpenAiAsync(options, connection, tokenizer, cancellation).ConfigureAwait(false);
        if (options.ChecksTokenizer)
            foreach (var text in texts)
                await CompareAsync(connection, dialect, facts, tokenizer, text, cancellation).ConfigureAwait(false);
        return facts;
    }

    private static async Task<ServerFacts> SgLangAsync(ServerOptions options, ServerConnection connection, CancellationToken cancellation)
    {
        const string Path = "/get_model_info";
        var found = await connection
            .AskAsync(Path, null, ServerConnection.SmallAnswer, root => root.Text("model_path"), cancellation)
            .ConfigureAwait(false);
        if (options.Model is { } wanted && wanted != found)
            throw new InvalidDataException($"{connection.At(Path)}: the model is '{found}', expected '{wanted}'");
        return new ServerFacts(null, null);
    }

    private static async Task<ServerFacts> OpenAiAsync(
        ServerOptions options,
        ServerConnection connection,
        ITokenizer tokenizer,
        CancellationToken cancellation
    )
    {
        const string Path = "/v1/models";
        var models = await connection
            .AskAsync(
                Path,
                null,
                ServerConnection.SmallAnswer,
                root =>
                    root.Field("data")
                        .Elements("data")
                        // Adapters have a parent.
                        .Where(model => options.Model is not null || model.Field("parent") is null)
                        .Select(model => (Id: model.Text("id") ?? "", Size: VocabularyOf(model)))
                        .ToArray(),
                cancellation
            )
            .ConfigureAwait(false);
        var names = string.Join(", ", models.Select(model => $"'{model.Id}'"));
        if (options.Model is null && models.Length != 1)
            throw new InvalidDataException($"{connection.At(Path)}: there are the models {names}, expected one, or ServerOptions.Model");
        var index = options.Model is null ? 0 : Array.FindIndex(models, model => model.Id == options.Model);
        if (index < 0)
            throw new InvalidDataException($"{connection.At(Path)}: the model '{options.Model}' is not there, expected one of {names}");
        // A model's output may be wider than its vocabulary.
        if (models[index].Size is { } size && size < tokenizer.VocabularySize)
            throw new InvalidDataException(
                $"{connection.At(Path)}: the model '{models[index].Id}' has {size} tokens, the policy's tokenizer "
                    + $"{tokenizer.VocabularySize}: "
                    + "it is another model"
            );
        var slots = options.Protocol == ServerProtocol.Llama ? await SlotsAsync(connection, cancellation).ConfigureAwait(false) : null;
        return new ServerFacts(models[index].Id, slots);
    }

    private static async Task<int?> SlotsAsync(ServerConnection connection, CancellationToken cancellation)
    {
        try
        {
            return await connection
                .AskAsync<int?>(
                    "/props",
                    null,
                    ServerConnection.SmallAnswer,
                    root => root.Field("total_slots") is { ValueKind: JsonValueKind.Number } slots ? Math.Max(1, slots.GetInt32()) : 1,
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (HttpRequestException exception) when (IsAbsent(exception))
        {
            return 1;
        }
    }

    private static async Task CompareAsync(
        ServerConnection connection,
        Dialect dialect,
        ServerFacts facts,
        ITokenizer tokenizer,
        string text,
        CancellationToken cancellation
    )
    {
        const string Path = "/tokenize";
        int[] theirs;
        try
        {
            theirs = await connection
                .AskAsync(
                    Path,
                    dialect.TokenizeBody(text, facts.Model),
                    ServerConnection.SmallAnswer,
                    root => root.Field("tokens").Elements("tokens").Select((id, i) => ((JsonElement?)id).Id($"tokens[{i}]")).ToArray(),
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (HttpRequestException exception) when (IsAbsent(exception))
        {
            return;
        }
        var ours = tokenizer.Encode(text);
        if (!ours.AsSpan().SequenceEqual(theirs))
            throw new InvalidDataException(
                $"{connection.At(Path)}: '{text}' is [{string.Join(", ", theirs)}], expected [{string.Join(", ", ours)}] as the policy's "
                    + "tokenizer has it: the model behind the server has another tokenizer"
            );
    }

    private static int? VocabularyOf(JsonElement model) =>
        model.Field("meta")?.Field("n_vocab") is { ValueKind: JsonValueKind.Number } size && size.TryGetInt32(out var count) ? count : null;

    private static bool IsAbsent(HttpRequestException exception) =>
        exception.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented;
}
