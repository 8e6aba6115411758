namespace PostTrain.Text.Files;

/// <summary>What belongs to a tokenizer in a model's directory: its own file, its settings, special tokens and chat templates.</summary>
internal static class TokenizerFolder
{
    private const int MaximumBytes = 64 << 20;
    private const string Templates = "additional_chat_templates";

    private static readonly string[] Beside =
    [
        TokenizerConfig.FileName,
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
        "vocab.json",
        "merges.txt",
        "vocab.txt",
        "tokenizer.model",
        "spiece.model",
        "sentencepiece.bpe.model",
    ];

    private static readonly string[] Own = [CharacterTokenizer.FileName, TokenizerJson.FileName, GreedyTokenizer.FileName];

    /// <summary>A tokenizer's own file and what lies beside it.</summary>
    /// <param name="path">The tokenizer's own file.</param>
    /// <param name="content">Its bytes.</param>
    internal static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Read(string path, ReadOnlyMemory<byte> content)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal) { [Path.GetFileName(path)] = content };
        foreach (var file in Existing(folder, Beside))
            files.TryAdd(Name(folder, file), BoundedFile.ReadBytes(file, MaximumBytes, "a file of a tokenizer"));
        return files;
    }

    /// <summary>Puts a tokenizer's files into a directory in the place of those of an earlier one.</summary>
    internal static void Write(string directory, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        foreach (var (name, content) in files)
            AtomicFile.Write(Path.Combine(directory, name), stream => stream.Write(content.Span));
        foreach (var old in Existing(directory, [.. Own, .. Beside]).Where(file => !files.ContainsKey(Name(directory, file))))
            File.Delete(old);
        foreach (var old in Directory.EnumerateFiles(directory, TokenizerFiles.SentencePiecePattern).ToArray())
            if (!files.ContainsKey(Path.GetFileName(old)))
                File.Delete(old);
    }

    private static string Name(string folder, string file) => Path.GetRelativePath(folder, file).Replace('\\', '/');

    private static string[] Existing(string folder, IEnumerable<string> names)
    {
        var templates = Path.Combine(folder, Templates);
        return
        [
            .. names.Select(name => Path.Combine(folder, name)).Where(File.Exists),
            .. Directory.Exists(templates) ? Directory.GetFiles(templates, "*.jinja").Order(StringComparer.Ordinal).ToArray() : [],
        ];
    }
}
