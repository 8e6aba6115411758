using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>Loads the tokenizer of a model's directory, and saves one into a directory.</summary>
public static class TokenizerFiles
{
    internal const string SentencePiecePattern = "tok*.bin";

    /// <summary>Loads the tokenizer of a directory according to its files: <c>tokenizer.posttrain.json</c> (<see
    /// cref="CharacterTokenizer"/>), otherwise <c>tokenizer.json</c> (<see cref="TokenizerJson"/>), otherwise <c>tokens.txt</c> (<see
    /// cref="GreedyTokenizer"/>), otherwise the only <c>tok*.bin</c> (<see cref="SentencePieceTokenizer"/>).</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">The directory has none of these files; the message lists them.</exception>
    /// <exception cref="InvalidDataException">The file is malformed, or there are several <c>tok*.bin</c>.</exception>
    public static ITokenizer Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"{directory} does not exist, expected a directory with a tokenizer");
        if (File.Exists(Path.Combine(directory, CharacterTokenizer.FileName)))
            return CharacterTokenizer.Load(directory);
        if (File.Exists(Path.Combine(directory, TokenizerJson.FileName)))
            return TokenizerJson.Load(directory);
        if (File.Exists(Path.Combine(directory, GreedyTokenizer.FileName)))
            return GreedyTokenizer.Load(directory);
        const string characters = CharacterTokenizer.FileName,
            json = TokenizerJson.FileName,
            greedy = GreedyTokenizer.FileName;
        var binaries = Directory.GetFiles(directory, SentencePiecePattern);
        var names = string.Join(", ", binaries.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        return binaries.Length switch
        {
            1 => SentencePieceTokenizer.Load(binaries[0]),
            0 => throw new FileNotFoundException(
                $"{directory} has no tokenizer: looked for {characters}, {json}, {greedy} and {SentencePiecePattern}"
            ),
            _ => throw new InvalidDataException($"{directory} has {binaries.Length} files {SentencePiecePattern}, expected one: {names}"),
        };
    }

    /// <summary>Saves a tokenizer's files (<see cref="ITokenizer.Files"/>), including its chat templates and special tokens, into a
    /// directory. <see cref="Load"/> and transformers can read them.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="directory">Created if missing; the files of an earlier tokenizer in it are replaced.</param>
    /// <exception cref="NotSupportedException">The tokenizer has no files.</exception>
    /// <exception cref="IOException">A file could not be written; no file is left half-written.</exception>
    public static void Save(ITokenizer tokenizer, string directory)
    {
        ThrowIfNotSavable(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Directory.CreateDirectory(directory);
        TokenizerFolder.Write(directory, tokenizer.Files);
    }

    /// <summary>Throws for a tokenizer without files.</summary>
    internal static void ThrowIfNotSavable(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.Files.Count == 0)
            throw new NotSupportedException($"A {tokenizer.GetType().Name} cannot be saved: its {nameof(ITokenizer.Files)} are empty.");
    }
}
