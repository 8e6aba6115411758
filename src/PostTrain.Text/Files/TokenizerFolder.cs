namespace PostTrain.Text.Files;

/// <summary>The files of a tokenizer in a model's directory: its own file, settings, special tokens and chat templates.</summary>
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

    /// <summary>Returns a tokenizer's own file and the files beside it.</summary>
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

    /// <summary>Writes a tokenizer's files into a directory and removes those of an earlier tokenizer.</summary>
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
