// Prints what mailparser (npm) reads in each message: a line of JSON per file.
const { createHash } = require('crypto');
const { readFileSync } = require('fs');
const { simpleParser } = require('mailparser');

const boxes = list => (list ? list.value.map(a => ({ name: a.name, address: a.address })) : []);

async function read(name) {
	const m = await simpleParser(readFileSync(name), { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, keepCidLinks: true });
	return {
		subject: m.subject, from: boxes(m.from), to: boxes(m.to), cc: boxes(m.cc), text: m.text || '', html: m.html || '',
		files: m.attachments.map(a => ({
			name: a.filename || '', type: a.contentType, size: a.content.length, sha256: createHash('sha256').update(a.content).digest('hex'),
			inline: a.contentDisposition === 'inline', id: a.cid || '',
		})),
		defects: m.bcc ? ['a Bcc field'] : [],
	};
}

(async () => {
	for (const file of process.argv.slice(2)) {
		const out = await read(file).catch(e => ({ defects: [String(e)] }));
		console.log(JSON.stringify({ ...out, file }));
	}
})();
