using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Benchmarks.Runner;

/// <summary>JSON lines, appended and on their way to the disk one by one: what an interrupted run has measured stays.</summary>
internal sealed class ResultWriter : IDisposable
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web);
    private readonly FileStream file;

    /// <param name="path">Made with its directory if it is not there; a last line that was cut off is ended first.</param>
    public ResultWriter(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } directory)
            Directory.CreateDirectory(directory);
        file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (file.Length == 0)
            return;
        file.Seek(-1, SeekOrigin.End);
        if (file.ReadByte() != '\n')
            file.WriteByte((byte)'\n');
    }

    /// <summary>One line.</summary>
    public void Write(JsonObject record)
    {
        file.Write(JsonSerializer.SerializeToUtf8Bytes(record, Format));
        file.WriteByte((byte)'\n');
        file.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
