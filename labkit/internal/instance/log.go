package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// log writes messages.log and alerts.log.
type log struct {
	mgr    string
	events bool // newer kits name the event in brackets
	mu     sync.Mutex
}

// write adds one record; further lines of text follow as they are.
func (l *log) write(severity int, event, text string) {
	bracket := ""
	if l.events && event != "" {
		bracket = "[" + event + "] "
	}
	l.append("messages.log", fmt.Sprintf("%s (%d) %d %s%s\n", stamp(), os.Getpid(), severity, bracket, text))
}

func (l *log) alert(severity int, text string) {
	l.append("alerts.log", fmt.Sprintf("%s (%d) %d %s\n", stamp(), os.Getpid(), severity, text))
}

func stamp() string {
	now := time.Now()
	return now.Format("01/02/06-15:04:05") + fmt.Sprintf(":%03d", now.Nanosecond()/1e6)
}

func (l *log) append(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(l.mgr, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o664)
	if err != nil {
		return // there is nowhere left to complain
	}
	defer f.Close()
	f.WriteString(text)
}
