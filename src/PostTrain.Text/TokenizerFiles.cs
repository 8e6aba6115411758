namespace PostTrain.Text;

/// <summary>Finds the tokenizer of a model's directory.</summary>
public static class TokenizerFiles
{
    private const string SentencePiecePattern = "tok*.bin";

    /// <summary>Loads the tokenizer that the files in a directory call for: <c>tokenizer.posttrain.json</c>
    /// (<see cref="CharacterTokenizer"/>), else <c>tokenizer.json</c> (<see cref="TokenizerJson"/>), else <c>tokens.txt</c>
    /// (<see cref="GreedyTokenizer"/>), else the one <c>tok*.bin</c> (<see cref="SentencePieceTokenizer"/>).</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">The directory has none of these files; the message lists what was looked for.</exception>
    /// <exception cref="InvalidDataException">The file is broken, or several fit <c>tok*.bin</c>.</exception>
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
}
