using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Rollouts.Servers;

/// <summary>Requests and answers of one kind of server.</summary>
internal abstract class Dialect
{
    /// <summary>Creates the dialect of a protocol.</summary>
    internal static Dialect Of(ServerProtocol protocol) =>
        protocol switch
        {
            ServerProtocol.Vllm => new VllmDialect(),
            ServerProtocol.SgLang => new SgLangDialect(),
            _ => new LlamaDialect(),
        };

    /// <summary>Path of completions.</summary>
    internal abstract string Path { get; }

    /// <summary>Names of the sampling options that the server has no counterpart of, among those that are not at their defaults.</summary>
    protected abstract IEnumerable<string> Unsupported(SamplingOptions sampling);

    /// <summary>Returns the body of a request for completions.</summary>
    internal abstract JsonObject Body(ServerQuestion question, SamplingOptions sampling, string? model);

    /// <summary>Reads the completions of an answer.</summary>
    /// <exception cref="InvalidDataException">Something is missing or of the wrong kind; the message names the place.</exception>
    internal abstract IReadOnlyList<ServerAnswer> Read(JsonElement answer);

    /// <summary>Returns the body of a request for the token ids of a text.</summary>
    internal abstract JsonObject TokenizeBody(string text, string? model);

    /// <summary>Throws if options cannot be followed.</summary>
    /// <exception cref="ArgumentException">The message names the options.</exception>
    internal void Require(SamplingOptions sampling, ServerLogProbs distribution, string server)
    {
        string[] refused =
        [
            .. Unsupported(sampling),
            .. Named(sampling.EpsilonCutoff > 0, nameof(sampling.EpsilonCutoff)),
            .. Named(sampling.EtaCutoff > 0, nameof(sampling.EtaCutoff)),
            .. Named(sampling.NoRepeatNGramSize > 0, nameof(sampling.NoRepeatNGramSize)),
            .. Named(sampling.BadWords.Any(word => word.Count != 1), nameof(sampling.BadWords)),
            .. Named(sampling.SequenceBiases.Any(bias => bias.Tokens.Count != 1), nameof(sampling.SequenceBiases)),
            .. Named(sampling.Processors.Count > 0, nameof(sampling.Processors)),
            .. Named(sampling.Rules.Count > 0, nameof(sampling.Rules)),
        ];
        if (refused.Length > 0)
            throw new ArgumentException(
                $"{server} cannot follow the sampling options {string.Join(", ", refused)}, expected their defaults",
                nameof(sampling)
            );
        if (distribution == ServerLogProbs.Raw && sampling.Temperature is not (0 or 1))
            throw new ArgumentException(
                FormattableString.Invariant(
                    $"Sampling.Temperature is {sampling.Temperature}, and the log-probs of {server} are of temperature 1; "
                ) + "expected temperature 1, or a server with ServerLogProbs.Tempered",
                nameof(sampling)
            );
    }

    /// <summary>Biases of single tokens: those of the options, and −∞ for tokens that never come.</summary>
    protected static IEnumerable<(int Token, double Bias)> Biases(SamplingOptions sampling) =>
        [
            .. sampling.SequenceBiases.Select(bias => (bias.Tokens[0], bias.Bias)),
            .. sampling.BadWords.Select(word => (word[0], double.NegativeInfinity)),
            .. sampling.SuppressedTokens.Select(token => (token, double.NegativeInfinity)),
        ];

    /// <summary>Token ids as JSON.</summary>
    protected static JsonArray Ids(IEnumerable<int> ids) => [.. ids.Select(id => (JsonNode)id)];

    /// <summary>Texts as JSON.</summary>
    protected static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)text)];

    /// <summary>A name where it applies.</summary>
    protected static IEnumerable<string> Named(bool applies, string name) => applies ? [name] : [];
}
